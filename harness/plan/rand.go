package plan

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
)

// Rand returns the random numbers of one purpose, named by parts. They depend on the seed and the parts alone, not on
// when or in which order they are drawn elsewhere, so that a run with the same seed makes the same decisions.
func Rand(seed int64, parts ...string) *rand.Rand {
	hash := sha256.New()
	number := func(n uint64) { hash.Write(binary.BigEndian.AppendUint64(nil, n)) }
	number(uint64(seed))
	for _, part := range parts {
		number(uint64(len(part))) // so that ("ab", "c") differs from ("a", "bc")
		hash.Write([]byte(part))
	}
	return rand.New(rand.NewChaCha8([sha256.Size]byte(hash.Sum(nil))))
}
