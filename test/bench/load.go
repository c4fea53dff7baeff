package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// sample is what one round of one server gave.
type sample struct {
	Requests int
	Rate     float64       // requests a second
	P99      time.Duration // latency
	Errors   int           // socket errors, timeouts, and answers that are not 2xx or 3xx
	CPU      time.Duration // of nginx and the server, a request
}

// loader asks a URL over some connections for some time.
type loader func(url string, clients int, d time.Duration) (sample, error)

func wrkGet(url string, clients int, d time.Duration) (sample, error) {
	return wrk(url, clients, d)
}

// wrkPost writes a wrk script to file that posts a JSON body.
func wrkPost(file, body string) (loader, error) {
	script := fmt.Sprintf("wrk.method = \"POST\"\nwrk.headers[\"Content-Type\"] = \"application/json\"\nwrk.body = %q\n", body)
	if err := os.WriteFile(file, []byte(script), 0o644); err != nil {
		return nil, err
	}
	return func(url string, clients int, d time.Duration) (sample, error) {
		return wrk(url, clients, d, "-s", file)
	}, nil
}

// jsonBody is a JSON object of about n bytes.
func jsonBody(n int) string {
	var b strings.Builder
	b.WriteString("{")
	for i := 0; b.Len() < n-32; i++ {
		fmt.Fprintf(&b, "'key%d':'value of number %d',", i, i)
	}
	b.WriteString("'end':true}")
	return strings.ReplaceAll(b.String(), "'", `"`)
}

func wrk(url string, clients int, d time.Duration, more ...string) (sample, error) {
	args := append([]string{"-t1", fmt.Sprintf("-c%d", clients), fmt.Sprintf("-d%ds", max(1, int(d.Seconds()))), "--latency", "--timeout", "10s"}, more...)
	out, err := exec.Command("wrk", append(args, url)...).Output()
	if err != nil {
		return sample{}, fmt.Errorf("wrk: %w", err)
	}
	return parseWrk(string(out))
}

var (
	wrkRequests = regexp.MustCompile(`(\d+) requests in`)
	wrkRate     = regexp.MustCompile(`Requests/sec:\s+([0-9.]+)`)
	wrkP99      = regexp.MustCompile(`99%\s+([0-9.]+)(us|ms|s|m)`)
	wrkSockets  = regexp.MustCompile(`Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)`)
	wrkStatus   = regexp.MustCompile(`Non-2xx or 3xx responses: (\d+)`)
)

// parseWrk reads wrk's report.
func parseWrk(out string) (s sample, err error) {
	m := wrkRequests.FindStringSubmatch(out)
	r := wrkRate.FindStringSubmatch(out)
	l := wrkP99.FindStringSubmatch(out)
	if m == nil || r == nil || l == nil {
		return s, fmt.Errorf("wrk said: %s", out)
	}
	s.Requests, _ = strconv.Atoi(m[1])
	s.Rate, _ = strconv.ParseFloat(r[1], 64)
	if s.P99, err = time.ParseDuration(l[1] + l[2]); err != nil {
		return s, err
	}
	for _, found := range [][]string{wrkSockets.FindStringSubmatch(out), wrkStatus.FindStringSubmatch(out)} {
		for _, n := range found[min(1, len(found)):] {
			count, _ := strconv.Atoi(n)
			s.Errors += count
		}
	}
	return s, nil
}

// upload posts a form with a file of n bytes, again and again.
func upload(n int64) loader {
	return func(url string, clients int, d time.Duration) (sample, error) {
		var (
			mu    sync.Mutex
			took  []time.Duration
			fails int
			wg    sync.WaitGroup
		)
		begin := time.Now()
		tr := &http.Transport{MaxIdleConnsPerHost: clients}
		defer tr.CloseIdleConnections()
		for range clients {
			wg.Go(func() {
				for time.Since(begin) < d {
					at := time.Now()
					err := uploadOnce(tr, url, n)
					mu.Lock()
					took = append(took, time.Since(at))
					if err != nil {
						fails++
					}
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		s := sample{Requests: len(took), Errors: fails, Rate: float64(len(took)) / time.Since(begin).Seconds()}
		for _, t := range took {
			s.P99 = max(s.P99, t) // there are too few for a percentile
		}
		return s, nil
	}
}

func uploadOnce(tr http.RoundTripper, url string, n int64) error {
	const boundary = "boundary-of-the-benchmark"
	head := "--" + boundary + "\r\nContent-Disposition: form-data; name=\"file\"; filename=\"big\"\r\nContent-Type: application/octet-stream\r\n\r\n"
	tail := "\r\n--" + boundary + "--\r\n"
	req, err := http.NewRequest(http.MethodPost, url, io.MultiReader(strings.NewReader(head), io.LimitReader(zeros{}, n), strings.NewReader(tail)))
	if err != nil {
		return err
	}
	req.ContentLength = int64(len(head)) + n + int64(len(tail))
	req.Header.Set("Content-Type", "multipart/form-data; boundary="+boundary)
	resp, err := tr.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK || !strings.Contains(string(body), fmt.Sprintf(`"size": %d`, n)) {
		return errors.New("the upload did not arrive: " + resp.Status)
	}
	return nil
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}
