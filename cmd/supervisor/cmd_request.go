package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"php-supervisor/internal/config"
	"php-supervisor/internal/request"
)

// maxSpool bounds a body that is read from a pipe, in bytes.
const maxSpool = 1 << 30

type requestCmd struct {
	Target string `arg:"" help:"Script (a file, with ?QUERY if wanted), or a URL below --root: a path, or http://HOST/PATH."`

	Root    string        `type:"path" placeholder:"DIR" help:"Document root. With it the target is a URL; for a target with http:// it is the current directory if not given."`
	Config  string        `short:"y" type:"path" placeholder:"FILE" xor:"where" help:"Configuration file that says where the pool listens."`
	Pool    string        `placeholder:"NAME" help:"Pool of the configuration; the first if not given."`
	Connect string        `placeholder:"ADDR" xor:"where" help:"Address of the FastCGI server: HOST:PORT or the path of a unix socket; 127.0.0.1:9000 if neither is given."`
	Method  string        `short:"X" placeholder:"METHOD" help:"GET, or POST with --data, if not given."`
	Header  []string      `short:"H" sep:"none" placeholder:"FIELD" help:"Header field, as 'Name: value'. Can be repeated."`
	Data    string        `short:"d" placeholder:"BODY" help:"Body; @FILE reads it from a file, @- from standard input."`
	Include bool          `short:"i" help:"Show the status and the header, too."`
	Timeout time.Duration `default:"0" placeholder:"TIME" help:"Longest time for everything; no limit if not given."`
}

func (c *requestCmd) Run(con console) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	r, target, err := c.request(con.in)
	if err != nil {
		return err
	}
	ctx, cancel := interruptible()
	defer cancel()
	if c.Timeout > 0 {
		ctx, cancel = context.WithTimeout(ctx, c.Timeout)
		defer cancel()
	}
	show := &shown{w: con.out, head: c.Include}
	said := &lines{w: con.err}
	end, err := client.Do(ctx, request.Call{Params: request.Params(r, target), Body: r.Body}, show, said)
	said.finish()
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return exitf(statusSoftware, "no answer within %s", c.Timeout)
	case err != nil:
		return &exit{statusSoftware, err}
	case end.AppStatus != 0:
		fmt.Fprintf(con.err, "supervisor: application status %d\n", end.AppStatus)
	}
	if show.status >= 400 {
		return &exit{status: statusFailed}
	}
	return nil
}

// client is the server that is meant.
func (c *requestCmd) client() (request.Client, error) {
	if c.Config == "" {
		if c.Pool != "" {
			return request.Client{}, exitf(statusUsage, "--pool goes with --config")
		}
		return dialed(c.Connect)
	}
	cfg, _, err := config.Load(c.Config, config.Options{AllowRoot: true, TestOnly: true})
	if err != nil {
		return request.Client{}, err
	}
	for _, p := range cfg.Pools {
		if c.Pool == "" || c.Pool == p.Name {
			return listening(p.Address), nil
		}
	}
	return request.Client{}, exitf(statusConfig, "no pool %s in %s", c.Pool, c.Config)
}

// dialed is what --connect means.
func dialed(addr string) (request.Client, error) {
	switch {
	case addr == "":
		addr = "127.0.0.1:9000"
	case strings.ContainsRune(addr, '/'):
		return request.Client{Network: "unix", Address: addr}, nil
	}
	if port, err := strconv.ParseUint(addr, 10, 16); err == nil {
		addr = fmt.Sprintf(":%d", port)
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return request.Client{}, exitf(statusUsage, "--connect %s is no HOST:PORT, nor a path with a slash in it", addr)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	return request.Client{Network: "tcp", Address: net.JoinHostPort(host, port)}, nil
}

// listening is how to connect to what a pool listens on.
func listening(a config.Address) request.Client {
	if a.Network == "unix" {
		return request.Client{Network: "unix", Address: a.Path}
	}
	host := a.Host
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return request.Client{Network: "tcp", Address: net.JoinHostPort(host, strconv.Itoa(a.Port))}
}

// request is what to send, as HTTP would say it, and the script that is to answer.
func (c *requestCmd) request(stdin io.Reader) (*http.Request, request.Target, error) {
	u, target, err := c.target()
	if err != nil {
		return nil, target, err
	}
	r := &http.Request{
		Method: c.Method, URL: u, Host: u.Host, RemoteAddr: "127.0.0.1:0",
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{},
	}
	if r.Host == "" {
		r.Host = "localhost"
	}
	for _, h := range c.Header {
		name, value, ok := strings.Cut(h, ":")
		if !ok || strings.TrimSpace(name) == "" {
			return nil, target, exitf(statusUsage, "--header %q is no 'Name: value'", h)
		}
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if strings.EqualFold(name, "Host") {
			r.Host = value
			continue
		}
		r.Header.Add(name, value)
	}
	if r.Body, r.ContentLength, err = c.body(stdin); err != nil {
		return nil, target, err
	}
	if r.Method == "" {
		r.Method = http.MethodGet
		if r.Body != nil {
			r.Method = http.MethodPost
		}
	}
	if r.Body != nil && r.Header.Get("Content-Type") == "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return r, target, nil
}

// target tells URLs from scripts: with a document root or a scheme it is a URL.
func (c *requestCmd) target() (*url.URL, request.Target, error) {
	if !strings.HasPrefix(c.Target, "http://") && !strings.HasPrefix(c.Target, "https://") && c.Root == "" {
		return c.script()
	}
	u, err := url.Parse(c.Target)
	if err != nil {
		return nil, request.Target{}, &exit{statusUsage, err}
	}
	root, err := filepath.Abs(c.Root)
	if err != nil {
		return nil, request.Target{}, err
	}
	if !strings.HasPrefix(u.Path, "/") {
		u.Path = "/" + u.Path
	}
	u.Fragment = ""
	t := request.Site{Root: root}.Resolve(u.Path)
	if t.Kind != request.Script {
		// The server may see files that we do not. Let it say so.
		t.Kind = request.Script
	}
	return u, t, nil
}

func (c *requestCmd) script() (*url.URL, request.Target, error) {
	file, query, _ := strings.Cut(c.Target, "?")
	file, err := filepath.Abs(file)
	if err != nil {
		return nil, request.Target{}, err
	}
	name := "/" + filepath.Base(file)
	return &url.URL{Path: name, RawQuery: query},
		request.Target{Kind: request.Script, Root: filepath.Dir(file), Filename: file, Name: name}, nil
}

// body is --data. Its length is known, and nil is none.
func (c *requestCmd) body(stdin io.Reader) (io.ReadCloser, int64, error) {
	name, isFile := strings.CutPrefix(c.Data, "@")
	switch {
	case c.Data == "":
		return nil, 0, nil
	case !isFile:
		return io.NopCloser(strings.NewReader(c.Data)), int64(len(c.Data)), nil
	}
	in := stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, 0, exitf(statusUsage, "--data: %w", err)
		}
		if fi, err := f.Stat(); err == nil && fi.Mode().IsRegular() {
			return f, fi.Size(), nil
		}
		defer f.Close()
		in = f
	}
	f, n, err := request.Spool(in, maxSpool)
	if err != nil {
		return nil, 0, exitf(statusUsage, "--data: %w", err)
	}
	return f, n, nil
}

// shown writes the response to the terminal.
type shown struct {
	w      io.Writer
	head   bool
	status int
}

// Head implements request.Receiver.
func (s *shown) Head(h request.Head) error {
	s.status = h.Status
	if !s.head {
		return nil
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "Status: %d %s\n", h.Status, h.Reason)
	for _, f := range h.Fields {
		fmt.Fprintf(&b, "%s: %s\n", f.Name, f.Value)
	}
	fmt.Fprintln(&b)
	_, err := s.w.Write(b.Bytes())
	return err
}

// Write implements request.Receiver.
func (s *shown) Write(p []byte) (int, error) { return s.w.Write(p) }

// lines passes text on and can end a line that was left open: what comes on FCGI_STDERR need not end in one.
type lines struct {
	w    io.Writer
	open bool
}

func (l *lines) Write(p []byte) (int, error) {
	if len(p) > 0 {
		l.open = p[len(p)-1] != '\n'
	}
	return l.w.Write(p)
}

func (l *lines) finish() {
	if l.open {
		_, _ = l.w.Write([]byte("\n")) // standard error; nobody could be told
	}
}
