package fcgi

import (
	"net"
	"testing"
	"time"
)

// benchPool hands out workers whose other ends answer without allocating.
type benchPool struct {
	idle chan *WorkerConn
	all  []*WorkerConn
}

func (p *benchPool) Acquire(*Request) (*WorkerConn, error)       { return <-p.idle, nil }
func (p *benchPool) Responded(*WorkerConn)                       {}
func (p *benchPool) Finish(w *WorkerConn, _ *Request, _ *Result) { p.idle <- w }
func (p *benchPool) WorkerLog(*WorkerConn, uint8, []byte)        {}
func (p *benchPool) close()                                      { closeAll(p.all) }
func closeAll(all []*WorkerConn) {
	for _, w := range all {
		w.Close()
	}
}

// newBenchPool starts workers that answer each request, which must come in one piece, with parts, one
// write for each.
func newBenchPool(tb testing.TB, n int, parts ...[]byte) *benchPool {
	p := &benchPool{idle: make(chan *WorkerConn, n)}
	for range n {
		w, f := workerPair(tb)
		go func() {
			defer f.Close()
			buf := make([]byte, 64<<10)
			for {
				if _, err := f.Read(buf); err != nil {
					return
				}
				for _, b := range parts {
					if _, err := f.Write(b); err != nil {
						return
					}
				}
			}
		}()
		if err := f.send(AppendHello(nil, 1)); err != nil {
			tb.Fatal(err)
		}
		if _, err := w.Hello(time.Now().Add(10 * time.Second)); err != nil {
			tb.Fatal(err)
		}
		p.all = append(p.all, w)
		p.idle <- w
	}
	tb.Cleanup(p.close)
	return p
}

// nginxGet is about what nginx sends for a small page.
func nginxGet(keep bool) []byte {
	b := AppendBeginRequest(nil, 1, RoleResponder, keep)
	b = AppendRecord(b, TypeParams, 1, params(
		"SCRIPT_FILENAME", "/var/www/html/index.php", "QUERY_STRING", "", "REQUEST_METHOD", "GET",
		"CONTENT_TYPE", "", "CONTENT_LENGTH", "", "SCRIPT_NAME", "/index.php", "REQUEST_URI", "/index.php",
		"DOCUMENT_URI", "/index.php", "DOCUMENT_ROOT", "/var/www/html", "SERVER_PROTOCOL", "HTTP/1.1",
		"REQUEST_SCHEME", "http", "GATEWAY_INTERFACE", "CGI/1.1", "SERVER_SOFTWARE", "nginx/1.22.1",
		"REMOTE_ADDR", "127.0.0.1", "REMOTE_PORT", "40000", "SERVER_ADDR", "127.0.0.1", "SERVER_PORT", "80",
		"SERVER_NAME", "_", "REDIRECT_STATUS", "200", "HTTP_HOST", "127.0.0.1"))
	b = AppendRecord(b, TypeParams, 1, nil)
	return AppendRecord(b, TypeStdin, 1, nil)
}

func response1(body int) []byte {
	b := stdout(1, "X-Powered-By: PHP/8.2.36\r\nContent-type: text/html; charset=UTF-8\r\n\r\n"+string(make([]byte, body)))
	return append(append(b, end(1)...), idle()...)
}

// roundTrip sends a request and reads until want bytes have come.
func roundTrip(tb testing.TB, c net.Conn, request, buf []byte, want int) {
	if _, err := c.Write(request); err != nil {
		tb.Fatal(err)
	}
	for got := 0; got < want; {
		n, err := c.Read(buf)
		if err != nil {
			tb.Fatal(err)
		}
		got += n
	}
}

func BenchmarkForwardKeptAlive(b *testing.B) {
	answer := response1(12)
	p := newBenchPool(b, 4, answer)
	_, path := serve(b, p, nil)
	request, want := nginxGet(true), len(answer)-len(idle())
	b.ReportAllocs()
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		c := dial(b, path)
		_ = c.SetDeadline(time.Time{})
		buf := make([]byte, 4096)
		for pb.Next() {
			roundTrip(b, c, request, buf, want)
		}
	})
}

func BenchmarkForwardOneKeptAlive(b *testing.B) {
	answer := response1(12)
	p := newBenchPool(b, 1, answer)
	_, path := serve(b, p, nil)
	request, want := nginxGet(true), len(answer)-len(idle())
	c := dial(b, path)
	_ = c.SetDeadline(time.Time{})
	buf := make([]byte, 4096)
	b.ReportAllocs()
	for b.Loop() {
		roundTrip(b, c, request, buf, want)
	}
}

// BenchmarkForwardEarlyFinish is fastcgi_finish_request: END_REQUEST and IDLE in writes of their own.
func BenchmarkForwardEarlyFinish(b *testing.B) {
	answer := response1(12)
	cut := len(answer) - len(idle())
	p := newBenchPool(b, 2, answer[:cut], answer[cut:])
	_, path := serve(b, p, nil)
	request := nginxGet(true)
	c := dial(b, path)
	_ = c.SetDeadline(time.Time{})
	buf := make([]byte, 4096)
	b.ReportAllocs()
	for b.Loop() {
		roundTrip(b, c, request, buf, cut)
	}
}

func BenchmarkForwardMegabyte(b *testing.B) {
	var answer []byte
	answer = append(answer, stdout(1, "Content-type: text/plain\r\n\r\n")...)
	for range 16 {
		answer = append(answer, stdout(1, string(make([]byte, 65535)))...)
	}
	answer = append(append(answer, end(1)...), idle()...)
	p := newBenchPool(b, 1, answer)
	_, path := serve(b, p, nil)
	request, want := nginxGet(true), len(answer)-len(idle())
	c := dial(b, path)
	_ = c.SetDeadline(time.Time{})
	buf := make([]byte, 256<<10)
	b.SetBytes(int64(want))
	b.ReportAllocs()
	for b.Loop() {
		roundTrip(b, c, request, buf, want)
	}
}

// TestForwardingDoesNotAllocate guards what the package promises.
func TestForwardingDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	answer := response1(12)
	cut := len(answer) - len(idle())
	keepHead := func(s *Server) { s.KeepHead = always }
	for name, tt := range map[string]struct {
		parts  [][]byte
		change func(*Server)
	}{
		"normal":                     {parts: [][]byte{answer}},
		"early finish":               {parts: [][]byte{answer[:cut], answer[cut:]}},
		"normal with its head":       {parts: [][]byte{answer}, change: keepHead},
		"early finish with its head": {parts: [][]byte{answer[:cut], answer[cut:]}, change: keepHead},
	} {
		t.Run(name, func(t *testing.T) {
			p := newBenchPool(t, 2, tt.parts...)
			_, path := serve(t, p, tt.change)
			request := nginxGet(true)
			c := dial(t, path)
			buf := make([]byte, 4096)
			got := testing.AllocsPerRun(2000, func() { roundTrip(t, c, request, buf, cut) })
			if got != 0 {
				t.Errorf("%v allocations a request, want none", got)
			}
		})
	}
}
