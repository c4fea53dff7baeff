package control

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Bounds of what a client may do.
const (
	maxBody        = 4 << 10 // bytes of a request's body; none is read for anything
	maxHeader      = 8 << 10 // bytes of a request's header
	maxConnections = 32
	readTimeout    = 5 * time.Second
	idleTimeout    = time.Minute
	writeTimeout   = 10 * time.Second // of an answer, from when it is known
)

// Server answers administrators.
type Server struct {
	backend Backend
	http    *http.Server
	// peer is the uid at the other end of a connection.
	peer func(net.Conn) (uint32, error)
}

type peerKey struct{}

// New makes a server.
func New(b Backend) *Server {
	s := &Server{backend: b, peer: peerUID}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", s.status)
	mux.HandleFunc("POST /reload", s.reload)
	mux.HandleFunc("POST /reopen-logs", s.reopenLogs)
	mux.HandleFunc("POST /stop", s.stop)
	s.http = &http.Server{
		Handler:           s.guard(mux),
		ReadTimeout:       readTimeout,
		ReadHeaderTimeout: readTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          log.New(io.Discard, "", 0), // the complaints of clients that have gone
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			if m, ok := c.(*metered); ok {
				c = m.Conn
			}
			uid, err := s.peer(c)
			if err != nil {
				return ctx
			}
			return context.WithValue(ctx, peerKey{}, uid)
		},
	}
	return s
}

// Serve answers until Close. It owns the listener from then on.
func (s *Server) Serve(l *Listener) error {
	err := s.http.Serve(&limited{Listener: l, slots: make(chan struct{}, maxConnections), closed: make(chan struct{})})
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Close ends Serve and all connections, giving answers that are being written a moment.
func (s *Server) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if s.http.Shutdown(ctx) != nil {
		s.http.Close()
	}
}

// guard lets in who may come in, with a request of a sane size.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		uid, ok := r.Context().Value(peerKey{}).(uint32)
		if !ok || uid != 0 && int(uid) != os.Getuid() {
			fail(w, http.StatusForbidden, "only root and the user the supervisor runs as may use this socket")
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			status := http.StatusBadRequest
			var large *http.MaxBytesError
			if errors.As(err, &large) {
				status = http.StatusRequestEntityTooLarge
			}
			fail(w, status, err.Error())
			return
		}
		_ = body // nothing that is asked for needs one
		next.ServeHTTP(w, r)
	})
}

func (s *Server) status(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, s.backend.Status())
}

func (s *Server) reload(w http.ResponseWriter, r *http.Request) {
	// A reload boots an application. The time allowed for sending the request would end its context before that.
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // not of a test's recorder
	if err := s.backend.Reload(r.Context()); err != nil {
		fail(w, http.StatusInternalServerError, err.Error())
		return
	}
	answer(w, http.StatusOK, struct{}{})
}

func (s *Server) reopenLogs(w http.ResponseWriter, _ *http.Request) {
	if err := s.backend.ReopenLogs(); err != nil {
		fail(w, http.StatusInternalServerError, err.Error())
		return
	}
	answer(w, http.StatusOK, struct{}{})
}

func (s *Server) stop(w http.ResponseWriter, r *http.Request) {
	answer(w, http.StatusAccepted, struct{}{})
	s.backend.Stop(r.URL.Query().Get("fast") == "1")
}

func fail(w http.ResponseWriter, status int, text string) { answer(w, status, Failure{text}) }

// answer writes v. How long a request may take is its handler's business (a reload boots an application); how long
// the client may take to read the answer is not.
func answer(w http.ResponseWriter, status int, v any) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTimeout)) // not of a test's recorder
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client has gone
}

func peerUID(c net.Conn) (uint32, error) {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return 0, errors.New("not a unix socket")
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *unix.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return 0, err
	}
	if credErr != nil {
		return 0, credErr
	}
	return cred.Uid, nil
}
