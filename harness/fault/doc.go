// Package fault breaks things on purpose, and mends them again. Each kind of fault is an entry of one registry, and each
// fault lives through one state machine: it is set up, injected, seen to have taken effect, recovered, seen to have
// recovered, and cleaned up.
//
// Nothing in it starts a goroutine, and nothing but Undo sets a deadline: whoever runs a fault does.
package fault
