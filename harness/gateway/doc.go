// Package gateway is a loopback proxy between Helm and an API server. It records every request of Helm and lets
// interceptors decide what becomes of each. Nothing else passes it: neither controllers, nor who watches, nor actors.
package gateway
