// Package control is the administrator's way to a running supervisor: HTTP and JSON over a unix socket.
//
//	GET  /status       Status
//	POST /reload       reads the configuration anew and waits until the new generations serve; 200 and an empty object, or
//	                   500 and {"error": "..."} with what kept them from coming up
//	POST /reopen-logs  opens all log files anew
//	POST /stop         lets requests finish; with ?fast=1 it does not. 202: the stop has begun
//
// It guarantees:
//   - only the user the supervisor runs as, and root, are listened to: the socket has mode 0600, and who connects is asked
//     of the kernel (SO_PEERCRED) besides;
//   - a client can neither hold the server up nor fill its memory: requests, their number and the time they may take are
//     bounded;
//   - a socket that another supervisor listens on is never taken from it, and only this server's own is removed at the end.
//
// It decides nothing; what is asked for is done by the Backend.
package control

import (
	"context"
	"time"

	"php-supervisor/pool"
)

// Backend is the running supervisor.
type Backend interface {
	Status() Status
	// Reload waits for the end of the reload. If ctx ends before, the reload goes on.
	Reload(ctx context.Context) error
	ReopenLogs() error
	// Stop begins to stop and does not wait.
	Stop(fast bool)
}

// Status is the answer to GET /status.
type Status struct {
	Version string        `json:"version"`
	PID     int           `json:"pid"`
	Started time.Time     `json:"started"`
	Config  string        `json:"config,omitempty"` // file, "" when the settings came from flags
	Pools   []pool.Status `json:"pools"`
}

// Failure is the body of every answer that is no success.
type Failure struct {
	Error string `json:"error"`
}
