package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"golang.org/x/sys/unix"
)

// maxAnswer bounds what a client reads, in bytes.
const maxAnswer = 64 << 20

// ErrNotRunning is returned when nobody listens on the socket.
var ErrNotRunning = errors.New("no supervisor is running")

// RemoteError is an error that the supervisor has reported.
type RemoteError struct{ Text string }

func (e *RemoteError) Error() string { return e.Text }

// Client talks to the supervisor that listens on Path.
type Client struct{ Path string }

// Status asks for a snapshot.
func (c Client) Status(ctx context.Context) (Status, error) {
	var s Status
	err := c.do(ctx, http.MethodGet, "/status", &s)
	return s, err
}

// Reload waits for the end of the reload.
func (c Client) Reload(ctx context.Context) error { return c.do(ctx, http.MethodPost, "/reload", nil) }

// ReopenLogs has all log files opened anew.
func (c Client) ReopenLogs(ctx context.Context) error {
	return c.do(ctx, http.MethodPost, "/reopen-logs", nil)
}

// Stop asks the supervisor to stop, and does not wait until it has.
func (c Client) Stop(ctx context.Context, fast bool) error {
	url := "/stop"
	if fast {
		url += "?fast=1"
	}
	return c.do(ctx, http.MethodPost, url, nil)
}

func (c Client) do(ctx context.Context, method, url string, into any) error {
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", c.Path)
		},
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://supervisor"+url, nil)
	if err != nil {
		return err
	}
	resp, err := (&http.Client{Transport: transport}).Do(r)
	switch {
	case errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ECONNREFUSED):
		return fmt.Errorf("%w: nobody listens on %s", ErrNotRunning, c.Path)
	case err != nil:
		return fmt.Errorf("control socket %s: %w", c.Path, bare(err))
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("control socket %s: %w", c.Path, err)
	}
	if resp.StatusCode/100 != 2 {
		var f Failure
		if json.Unmarshal(b, &f) != nil || f.Error == "" {
			f.Error = resp.Status + ": " + strings.TrimSpace(string(b))
		}
		return &RemoteError{f.Error}
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("control socket %s: %w", c.Path, err)
	}
	return nil
}
