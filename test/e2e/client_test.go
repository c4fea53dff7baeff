package e2e

import (
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"regexp"
	"slices"
	"strings"
	"testing"

	"php-supervisor/test/harness"
)

// step is one HTTP request.
type step struct {
	method string // "" is GET
	path   string
	header map[string]string
	body   string
	reader io.Reader // instead of body
	length int64     // of reader; 0: unknown, sent in chunks
}

// response is what is compared.
type response struct {
	Status string
	Header map[string][]string
	Length int64 // -1: chunked
	Body   string
}

// client talks to one site and keeps its cookies, as a browser does.
type client struct {
	site    *harness.Site
	http    *http.Client
	cookies map[string]string
}

func newClient(t testing.TB, site *harness.Site) *client {
	tr := &http.Transport{DisableCompression: true}
	t.Cleanup(tr.CloseIdleConnections)
	return &client{
		site: site,
		http: &http.Client{
			Transport:     tr,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		cookies: map[string]string{},
	}
}

// send sends a request; the caller reads and closes the body.
func (c *client) send(s step) (*http.Response, error) {
	var body io.Reader
	switch {
	case s.reader != nil:
		body = s.reader
	case s.body != "":
		body = strings.NewReader(s.body)
	}
	method := s.method
	if method == "" {
		method = http.MethodGet
	}
	req, err := http.NewRequest(method, c.site.URL(s.path), body)
	if err != nil {
		return nil, err
	}
	if s.length > 0 {
		req.ContentLength = s.length
	}
	req.Host = "example.test"
	req.Header.Set("User-Agent", "e2e")
	for k, v := range s.header {
		if http.CanonicalHeaderKey(k) == "Host" {
			req.Host = v
			continue
		}
		req.Header.Set(k, v)
	}
	var cookies []string
	for name, value := range c.cookies {
		cookies = append(cookies, name+"="+value)
	}
	if len(cookies) > 0 {
		slices.Sort(cookies)
		req.Header.Set("Cookie", strings.Join(cookies, "; "))
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	for _, cookie := range resp.Cookies() {
		if cookie.MaxAge < 0 {
			delete(c.cookies, cookie.Name)
		} else {
			c.cookies[cookie.Name] = cookie.Value
		}
	}
	return resp, nil
}

// do sends a request and reads all of the response.
func (c *client) do(t testing.TB, s step) *response {
	t.Helper()
	r, err := c.try(s)
	if err != nil {
		t.Fatalf("%s %s %s: %v", c.site.Name, s.method, s.path, err)
	}
	return r
}

func (c *client) try(s step) (*response, error) {
	resp, err := c.send(s)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("after %d bytes of %s: %w", len(body), resp.Status, err)
	}
	header := map[string][]string(resp.Header)
	delete(header, "Date")
	return &response{Status: resp.Status, Header: header, Length: resp.ContentLength, Body: string(body)}, nil
}

// get is do for a plain GET that must succeed; it returns the body.
func (c *client) get(t testing.TB, path string) string {
	t.Helper()
	r := c.do(t, step{path: path})
	if r.Status != "200 OK" {
		t.Fatalf("%s GET %s: %s\n%s", c.site.Name, path, r.Status, r.Body)
	}
	return r.Body
}

// part is one part of a multipart form: a file when it has a file name.
type part struct{ field, file, kind, content string }

// multipartStep makes a POST of a form with a fixed boundary.
func multipartStep(path string, parts ...part) step {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	if err := w.SetBoundary("boundary-of-the-end-to-end-tests"); err != nil {
		panic(err)
	}
	for _, p := range parts {
		h := textproto.MIMEHeader{}
		disposition := fmt.Sprintf(`form-data; name="%s"`, p.field)
		if p.kind != "" {
			disposition += fmt.Sprintf(`; filename="%s"`, p.file)
			h.Set("Content-Type", p.kind)
		}
		h.Set("Content-Disposition", disposition)
		pw, err := w.CreatePart(h)
		if err != nil {
			panic(err)
		}
		io.WriteString(pw, p.content)
	}
	w.Close()
	return step{method: "POST", path: path, header: map[string]string{"Content-Type": w.FormDataContentType()}, body: b.String()}
}

// replace is a normalisation: everything the expression matches, in headers and body, becomes the
// replacement before two responses are compared.
type replace struct {
	re *regexp.Regexp
	by string
}

func (r replace) apply(resp *response) {
	resp.Body = r.re.ReplaceAllString(resp.Body, r.by)
	for _, values := range resp.Header {
		for i, v := range values {
			values[i] = r.re.ReplaceAllString(v, r.by)
		}
	}
}
