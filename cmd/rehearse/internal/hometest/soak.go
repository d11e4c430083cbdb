package hometest

import (
	"os"
	"strconv"
	"testing"
	"time"
)

// The environment of the tests that repeat themselves: how often, and the seed of what is random in them.
const (
	EnvSoak     = "REHEARSE_SOAK"
	EnvSoakSeed = "REHEARSE_SOAK_SEED"
)

// Soak returns how often a test is to repeat itself, otherwise unless the environment says so, and a seed.
func Soak(t *testing.T, otherwise int) (times int, seed uint64) {
	t.Helper()
	return number(t, EnvSoak, otherwise), uint64(number(t, EnvSoakSeed, int(time.Now().UnixNano()%1_000_000)))
}

func number(t *testing.T, env string, otherwise int) int {
	t.Helper()
	text := os.Getenv(env)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", env, err)
	}
	return n
}
