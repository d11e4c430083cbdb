package fault

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"
)

// reservePort takes a port at which nobody listens, so that whoever connects to it is refused, and keeps it until free is
// called: a port that is merely free may be taken by somebody who does listen.
func reservePort(at string) (port int, free func() error, err error) {
	address, err := netip.ParseAddr(at)
	if err != nil {
		return 0, nil, err
	}
	family, want := syscall.AF_INET6, syscall.Sockaddr(&syscall.SockaddrInet6{Addr: address.As16()})
	if address.Is4() {
		family, want = syscall.AF_INET, &syscall.SockaddrInet4{Addr: address.As4()}
	}
	syscall.ForkLock.RLock() // children must not inherit it
	socket, err := syscall.Socket(family, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(socket)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return 0, nil, fmt.Errorf("making a socket: %w", err)
	}
	if err := syscall.Bind(socket, want); err != nil {
		return 0, nil, errors.Join(fmt.Errorf("taking a port: %w", err), syscall.Close(socket))
	}
	got, err := syscall.Getsockname(socket)
	if err != nil {
		return 0, nil, errors.Join(fmt.Errorf("asking which port was taken: %w", err), syscall.Close(socket))
	}
	switch a := got.(type) {
	case *syscall.SockaddrInet4:
		port = a.Port
	case *syscall.SockaddrInet6:
		port = a.Port
	}
	return port, func() error { return syscall.Close(socket) }, nil
}
