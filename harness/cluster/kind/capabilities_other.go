//go:build !linux

package kind

// restricted is false: the engine runs in a virtual machine of its own.
func restricted() bool { return false }
