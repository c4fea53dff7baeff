package e2e

import (
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"strings"
	"testing"

	"php-supervisor/test/harness"
)

// huge is what goes through in each direction.
func huge() int64 {
	if os.Getenv("E2E_HUGE") != "" {
		return 1 << 30
	}
	return 200 << 20
}

// allowance is how far a process's peak may rise while a huge body goes through it: buffers, not
// the body, whatever its size.
const allowance = 32 << 20

// pattern is a body of n bytes that repeats and is never held whole.
type pattern struct{ left int64 }

var patternPiece = []byte(strings.Repeat("0123456789abcdef", 4096))

func (p *pattern) Read(b []byte) (int, error) {
	if p.left == 0 {
		return 0, io.EOF
	}
	n := copy(b[:min(int64(len(b)), p.left)], patternPiece)
	// Keep the pieces whole, so that the pattern does not shift.
	if n < len(patternPiece) && int64(n) < p.left {
		n -= n % 16
	}
	p.left -= int64(n)
	return n, nil
}

func patternCRC(n int64) string {
	h := crc32.NewIEEE()
	io.Copy(h, &pattern{n})
	return fmt.Sprintf("%08x", h.Sum32())
}

// watchPeaks runs f and fails when the peak of a server's process rose beyond the allowance.
func watchPeaks(t *testing.T, srv *harness.Server, f func()) {
	t.Helper()
	before := map[int]int64{}
	for _, pid := range srv.PIDs() {
		if err := harness.ResetPeak(pid); err != nil {
			t.Fatal(err)
		}
		before[pid] = harness.Peak(pid)
	}
	f()
	for pid, was := range before {
		if is := harness.Peak(pid); is-was > allowance {
			t.Errorf("%d (%s): peak rose from %d to %d MiB", pid, harness.CommandLine(pid), was>>20, is>>20)
		}
	}
}

func TestHugeBodies(t *testing.T) {
	// Servers of their own: post_max_size is in the way of the common ones.
	s := harness.ForTest(t)
	pool := harness.Pool{Children: 2, Ready: common.root + "/ready.php", Lines: []string{
		"php_admin_value[post_max_size] = 0", "php_admin_value[upload_max_filesize] = 4G", "php_admin_value[max_execution_time] = 0",
		"php_admin_value[upload_tmp_dir] = " + common.tmp, "php_admin_value[sys_temp_dir] = " + common.tmp}}
	pool.Name = "yardstick"
	list := []*harness.Server{harness.Must[*harness.Server](t)(s.StartFPM(pool))}
	if !onlyFPM {
		pool.Name = "classic"
		list = append(list, harness.Must[*harness.Server](t)(s.StartSupervisor(pool)))
		pool.Name, pool.Worker = "worker", common.root+"/worker.php"
		list = append(list, harness.Must[*harness.Server](t)(s.StartSupervisor(pool)))
	}
	var sites []*harness.Site
	for _, srv := range list {
		sites = append(sites, &harness.Site{Name: srv.Name, Root: common.root, Socket: srv.Socket})
	}
	harness.Must[*harness.Nginx](t)(s.StartNginx(sites...))

	size := huge()
	sum := patternCRC(size)
	for i, srv := range list {
		c := newClient(t, sites[i])
		t.Run(srv.Name+"/up", func(t *testing.T) {
			watchPeaks(t, srv, func() {
				// nginx passes the body on while it comes.
				r := c.do(t, step{method: "POST", path: "/unbuffered/sink.php", reader: &pattern{size}, length: size,
					header: map[string]string{"Content-Type": "application/octet-stream"}})
				var got struct {
					First struct {
						Bytes  int64
						CRC32B string
					}
				}
				if err := json.Unmarshal([]byte(r.Body), &got); err != nil {
					t.Fatalf("%s: %s", r.Status, r.Body)
				}
				if got.First.Bytes != size || got.First.CRC32B != sum {
					t.Errorf("PHP got %+v, want %d bytes with checksum %s", got.First, size, sum)
				}
			})
		})
		t.Run(srv.Name+"/down", func(t *testing.T) {
			watchPeaks(t, srv, func() {
				resp, err := c.send(step{path: fmt.Sprintf("/unbuffered/big.php?bytes=%d&chunk=65536", size)})
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				h := crc32.NewIEEE()
				n, err := io.Copy(h, resp.Body)
				if got := fmt.Sprintf("%08x", h.Sum32()); n != size || got != sum || err != nil {
					t.Errorf("%s: got %d bytes with checksum %s, %v; want %d with %s", resp.Status, n, got, err, size, sum)
				}
			})
		})
		t.Run(srv.Name+"/upload", func(t *testing.T) {
			watchPeaks(t, srv, func() {
				r := c.do(t, formOf(size/2))
				if r.Status != "200 OK" || !strings.Contains(r.Body, fmt.Sprintf(`"size": %d`, size/2)) || !strings.Contains(r.Body, `"is_uploaded_file": true`) {
					t.Errorf("%s: %s", r.Status, r.Body)
				}
			})
		})
	}
}

// formOf is a form with one uploaded file of n bytes.
func formOf(n int64) step {
	const boundary = "boundary-of-a-huge-form"
	return step{method: "POST", path: "/upload.php", header: map[string]string{"Content-Type": "multipart/form-data; boundary=" + boundary},
		reader: io.MultiReader(
			strings.NewReader("--"+boundary+"\r\nContent-Disposition: form-data; name=\"file\"; filename=\"huge\"\r\nContent-Type: application/octet-stream\r\n\r\n"),
			&pattern{n},
			strings.NewReader("\r\n--"+boundary+"--\r\n"))}
}
