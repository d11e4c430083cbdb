package embedded

import "errors"

// ErrNoSpace means that a file system is full: the one clusters keep their data on, or the cache's.
var ErrNoSpace = errors.New("no space left")
