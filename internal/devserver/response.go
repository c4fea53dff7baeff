package devserver

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"php-supervisor/internal/request"
)

// response passes a FastCGI response on to the browser. It implements request.Receiver.
type response struct {
	w     http.ResponseWriter
	r     *http.Request
	token string

	begun  bool // the status is sent
	inject bool
}

// Head implements request.Receiver.
func (o *response) Head(h request.Head) error {
	if h.Status < 200 {
		return fmt.Errorf("%w: status %d", request.ErrBadHead, h.Status)
	}
	o.inject = navigates(o.r) && injectable(h)
	for _, f := range h.Fields {
		switch strings.ToLower(f.Name) {
		case "connection", "keep-alive", "transfer-encoding", "upgrade": // between us and the browser
			continue
		case "content-length":
			if o.inject {
				continue
			}
		}
		o.w.Header().Add(f.Name, f.Value)
	}
	if o.w.Header().Get("Content-Type") == "" {
		o.w.Header()["Content-Type"] = nil // no guessing
	}
	o.w.WriteHeader(h.Status)
	o.begun = true
	return nil
}

// injectable says whether something may be put behind the body.
func injectable(h request.Head) bool {
	if h.Status == http.StatusNoContent || h.Status == http.StatusNotModified {
		return false
	}
	if e := h.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return false
	}
	if d := h.Get("Content-Disposition"); strings.HasPrefix(strings.ToLower(d), "attachment") {
		return false
	}
	t, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	return err == nil && t == "text/html"
}

// Write implements request.Receiver. What the application has flushed is not held back.
func (o *response) Write(p []byte) (int, error) {
	n, err := o.w.Write(p)
	if errors.Is(err, http.ErrBodyNotAllowed) { // HEAD, 204, 304
		return len(p), nil
	}
	if err != nil {
		return n, err
	}
	return n, http.NewResponseController(o.w).Flush()
}

// finish is called behind the whole body.
func (o *response) finish() {
	if o.inject {
		_, _ = io.WriteString(o.w, scriptElement(o.token)) // the browser has gone
	}
}
