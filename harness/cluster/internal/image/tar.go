package image

import "io"

// WriteTar writes the layer as a plain tar archive, for what unpacks files without being given an image.
func (l *Layer) WriteTar(w io.Writer) error {
	_, _, err := l.write(w)
	return err
}
