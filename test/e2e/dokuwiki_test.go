package e2e

import (
	"bytes"
	"html"
	"image"
	"image/color"
	"image/png"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"php-supervisor/test/apps"
	"php-supervisor/test/harness"
)

// hidden finds the value of a form's hidden field.
func hidden(t *testing.T, page, name string) string {
	t.Helper()
	for _, tag := range regexp.MustCompile(`<input[^>]*>`).FindAllString(page, -1) {
		if strings.Contains(tag, `name="`+name+`"`) {
			if m := regexp.MustCompile(`value="([^"]*)"`).FindStringSubmatch(tag); m != nil {
				return html.UnescapeString(m[1])
			}
		}
	}
	t.Fatalf("no field %s in:\n%s", name, abbreviate(page))
	return ""
}

// form makes a POST of a URL-encoded form.
func form(path string, fields map[string]string) step {
	v := url.Values{}
	for name, value := range fields {
		v.Set(name, value)
	}
	return step{method: "POST", path: path, body: v.Encode(), header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}}
}

// submit sends a step and follows the redirect that a form is answered with.
func (c *client) submit(t *testing.T, s step) string {
	t.Helper()
	r := c.do(t, s)
	if to := r.Header["Location"]; to != nil {
		u, err := url.Parse(to[0])
		if err != nil {
			t.Fatal(err)
		}
		return c.get(t, u.RequestURI())
	}
	if r.Status != "200 OK" {
		t.Fatalf("%s %s: %s\n%s", s.method, s.path, r.Status, abbreviate(r.Body))
	}
	return r.Body
}

func picture(t *testing.T) string {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, 320, 200))
	for x := range 320 {
		for y := range 200 {
			img.Set(x, y, color.RGBA{uint8(x), uint8(y), uint8(x ^ y), 255})
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Debian's DokuWiki works: log in, edit a page, upload an image, have it scaled, search, log out.
func TestDokuWiki(t *testing.T) {
	s := harness.ForTest(t)
	tmp := harness.Must[string](t)(s.Writable("tmp"))
	type one struct {
		wiki *apps.DokuWiki
		site *harness.Site
	}
	wikis := map[string]*one{}
	var sites []*harness.Site
	add := func(name string, start func(harness.Pool) (*harness.Server, error)) {
		wiki := harness.Must[*apps.DokuWiki](t)(apps.LayDokuWiki(s.Path(name), "a password", s.Owner))
		srv := harness.Must[*harness.Server](t)(start(harness.Pool{Name: name, Children: 2, Ready: wiki.Root + "/doku.php", Lines: []string{
			"php_value[session.save_path] = " + tmp, "php_admin_value[upload_tmp_dir] = " + tmp}}))
		wikis[name] = &one{wiki, &harness.Site{Name: name, Root: wiki.Root, Socket: srv.Socket, Extra: []string{
			"location ~ ^/(data|conf|bin|inc|vendor)/ { deny all; }"}}}
		sites = append(sites, wikis[name].site)
	}
	add("fpm", s.StartFPM)
	if !onlyFPM {
		add("classic", s.StartSupervisor)
	}
	harness.Must[*harness.Nginx](t)(s.StartNginx(sites...))
	for name, w := range wikis {
		t.Run(name, func(t *testing.T) { useDokuWiki(t, w.site, w.wiki) })
	}
}

func useDokuWiki(t *testing.T, site *harness.Site, wiki *apps.DokuWiki) {
	c := newClient(t, site)
	has := func(what, page, want string) {
		t.Helper()
		if !strings.Contains(page, want) {
			t.Fatalf("%s: no %q in:\n%s", what, want, abbreviate(page))
		}
	}
	has("front page", c.get(t, "/doku.php"), "long-lived php-cli workers")
	has("style sheet", c.get(t, "/lib/exe/css.php?t=dokuwiki&tseed=x"), ".dokuwiki")
	has("script", c.get(t, "/lib/exe/js.php?t=dokuwiki&tseed=x"), "jQuery")
	if r := c.do(t, step{path: "/conf/users.auth.php"}); r.Status != "403 Forbidden" {
		t.Errorf("the users' file: %s", r.Status)
	}

	page := c.get(t, "/doku.php?id=start&do=login")
	wrong := c.do(t, form("/doku.php?id=start", map[string]string{
		"sectok": hidden(t, page, "sectok"), "do": "login", "u": wiki.User, "p": "wrong", "id": "start"}))
	if wrong.Status != "403 Login failed" {
		t.Errorf("wrong password: %s", wrong.Status)
	}
	page = c.submit(t, form("/doku.php?id=start", map[string]string{
		"sectok": hidden(t, page, "sectok"), "do": "login", "u": wiki.User, "p": wiki.Password, "id": "start"}))
	has("logged in", page, "Administrator")

	page = c.get(t, "/doku.php?id=e2e:page&do=edit")
	fields := map[string]string{"wikitext": "====== Überschrift ======\n\nText **bold** {{e2e:picture.png?100}}\n", "summary": "made by a test", "do[save]": "1"}
	for _, name := range []string{"sectok", "rev", "date", "prefix", "suffix", "changecheck", "target", "id"} {
		fields[name] = hidden(t, page, name)
	}
	page = c.submit(t, form("/doku.php?id=e2e:page", fields))
	has("saved page", page, "Überschrift</h1>")
	has("saved page", page, "<strong>bold</strong>")

	page = c.get(t, "/lib/exe/mediamanager.php?ns=e2e")
	image := picture(t)
	page = c.submit(t, multipartStep("/lib/exe/mediamanager.php?ns=e2e",
		part{field: "sectok", content: hidden(t, page, "sectok")},
		part{field: "ns", content: "e2e"},
		part{field: "mediaid", content: "picture.png"},
		part{"upload", "picture.png", "image/png", image}))
	has("media manager", page, "picture.png")
	if got := c.get(t, "/lib/exe/fetch.php?media=e2e:picture.png"); got != image {
		t.Errorf("fetched image has %d bytes, uploaded %d", len(got), len(image))
	}

	page = c.get(t, "/doku.php?id=e2e:page")
	m := regexp.MustCompile(`<img src="([^"]*w=100[^"]*)"`).FindStringSubmatch(page)
	if m == nil {
		t.Fatalf("no scaled image in the page:\n%s", abbreviate(page))
	}
	scaled, err := png.DecodeConfig(strings.NewReader(c.get(t, html.UnescapeString(m[1]))))
	if err != nil || scaled.Width != 100 {
		t.Errorf("scaled image: %+v, %v", scaled, err)
	}

	// The page asks for an image that indexes it, after which a search finds it.
	c.get(t, "/lib/exe/taskrunner.php?id=e2e:page")
	has("search", c.get(t, "/doku.php?do=search&q=bold"), "e2e:page")
	has("old revisions", c.get(t, "/doku.php?id=e2e:page&do=revisions"), "made by a test")

	has("still logged in", c.get(t, "/doku.php?id=start"), "Administrator")
	token := hidden(t, c.get(t, "/doku.php?id=e2e:page&do=edit"), "sectok")
	page = c.submit(t, step{path: "/doku.php?id=start&do=logout&sectok=" + token})
	has("logged out", page, "Log In")
	if strings.Contains(page, "Administrator") {
		t.Error("still logged in after logging out")
	}
}
