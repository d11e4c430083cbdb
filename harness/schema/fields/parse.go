package fields

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Parse makes a value of the field's type from text, as a default and a matrix state it; of a struct it fills
// the shorthand. It checks what the tags say about a value: enum, min and maxLength.
func (f Field) Parse(text string) (reflect.Value, error) {
	t := Deref(f.Type)
	value := reflect.New(t)
	if err := f.parseInto(value.Elem(), text); err != nil {
		return reflect.Value{}, err
	}
	if f.Type.Kind() == reflect.Pointer {
		return value, nil
	}
	return value.Elem(), nil
}

func (f Field) parseInto(v reflect.Value, text string) error {
	if IsDuration(v.Type()) {
		d, err := f.ParseDuration(text)
		if err != nil {
			return err
		}
		v.Set(reflect.ValueOf(metav1.Duration{Duration: d}))
		return nil
	}
	switch {
	case v.Kind() == reflect.String:
		if err := f.CheckText(text); err != nil {
			return err
		}
		v.SetString(text)
	case v.Kind() == reflect.Bool:
		if text != "true" && text != "false" {
			return fmt.Errorf("want true or false, found %s", Quote(text))
		}
		v.SetBool(text == "true")
	case v.CanInt():
		n, err := f.ParseInt(text, v.Type().Bits())
		if err != nil {
			return err
		}
		v.SetInt(n)
	case v.Kind() == reflect.Struct:
		short, ok := Shorthand(Of(v.Type()))
		if !ok {
			return fmt.Errorf("a value of type %s cannot be made from text", v.Type())
		}
		return short.parseInto(short.Of(v), text)
	default:
		return fmt.Errorf("a value of type %s cannot be made from text", v.Type())
	}
	return nil
}

// CheckText checks a text against enum and maxLength.
func (f Field) CheckText(text string) error {
	if len(f.Enum) > 0 && !slices.Contains(f.Enum, text) {
		return fmt.Errorf("want one of %s, found %s", strings.Join(f.Enum, ", "), Quote(text))
	}
	if most, err := strconv.Atoi(f.MaxLength); err == nil && utf8.RuneCountInString(text) > most {
		return fmt.Errorf("is %d characters long; at most %d are allowed", utf8.RuneCountInString(text), most)
	}
	return nil
}

// ParseInt reads a decimal integer of that many bits and checks it against min.
func (f Field) ParseInt(text string, bits int) (int64, error) {
	n, err := strconv.ParseInt(text, 10, bits)
	switch {
	case err != nil && isNumber(text):
		return 0, fmt.Errorf("the number %s is too large; want an integer of at most %d bits", Quote(text), bits)
	case err != nil:
		return 0, fmt.Errorf("want an integer, found %s", Quote(text))
	}
	if least, err := strconv.ParseInt(f.Min, 10, 64); err == nil && n < least {
		return 0, fmt.Errorf("want at least %d, found %d", least, n)
	}
	return n, nil
}

// ParseDuration reads a duration and checks it against min; without a min it must be positive.
func (f Field) ParseDuration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("want a duration such as 30s or 1m30s, found %s", Quote(text))
	}
	if f.Min == "" && d <= 0 {
		return 0, fmt.Errorf("want a duration longer than 0s, found %s", Quote(text))
	}
	if least, err := time.ParseDuration(f.Min); err == nil && d < least {
		return 0, fmt.Errorf("want a duration of at least %s, found %s", least, Quote(text))
	}
	return d, nil
}

func isNumber(text string) bool {
	digits := strings.TrimLeft(text, "+-")
	return digits != "" && strings.Trim(digits, "0123456789") == ""
}

// Quote quotes a text for a message and cuts it if it is long.
func Quote(text string) string {
	const longest = 60
	if runes := []rune(text); len(runes) > longest {
		text = string(runes[:longest]) + "…"
	}
	return strconv.Quote(text)
}
