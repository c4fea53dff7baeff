package watch

import (
	slashpath "path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// at is a directory of the tree /srv/app by its path below it.
func at(rel string) *node {
	n := &node{path: "/srv/app", name: "/srv/app"}
	for _, name := range split(rel) {
		n = &node{path: n.path + "/" + name, name: n.name + "/" + name, rel: join(n.rel, name), realRel: join(n.realRel, name)}
	}
	return n
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + "/" + b
}

func TestIgnoring(t *testing.T) {
	for _, c := range []struct {
		globs []string
		dir   string
		name  string
		isDir bool
		want  bool
	}{
		{[]string{"*.log"}, "", "app.log", false, true},
		{[]string{"*.log"}, "deep/down", "app.log", false, true},
		{[]string{"*.log"}, "", "app.log.php", false, false},
		{[]string{"cache"}, "src", "cache", true, true},
		{[]string{"cache"}, "src", "caches", true, false},
		{[]string{"cache/"}, "src", "cache", true, true},
		{[]string{"cache/"}, "src", "cache", false, false},
		{[]string{"var/cache"}, "var", "cache", true, true},
		{[]string{"var/cache"}, "sites/a/var", "cache", true, true},
		{[]string{"var/cache"}, "", "cache", true, false},
		{[]string{"var/cache"}, "myvar", "cache", true, false},
		{[]string{"./tmp"}, "", "tmp", true, true},
		{[]string{"./tmp"}, "src", "tmp", true, false},
		{[]string{"./a/*/c"}, "a/b", "c", true, true},
		{[]string{"./a/*/c"}, "a/b/b", "c", true, false},
		{[]string{"./a/**/c"}, "a", "c", true, true},
		{[]string{"./a/**/c"}, "a/b/b", "c", true, true},
		{[]string{"a/**"}, "x/a/b", "c", false, true},
		{[]string{"a/**"}, "x", "a", true, true},
		{[]string{"**/*.bak"}, "", "x.bak", false, true},
		{[]string{"**/**/*.bak"}, "a/b", "x.bak", false, true},
		{[]string{"/srv/app/uploads"}, "", "uploads", true, true},
		{[]string{"/srv/*/uploads/"}, "", "uploads", true, true},
		{[]string{"/uploads"}, "", "uploads", true, false},
		{[]string{"*.{log,out}"}, "", "a.out", false, true},
		{[]string{"{a,b{c,d}}.txt"}, "", "bd.txt", false, true},
		{[]string{"{a,b{c,d}}.txt"}, "", "b.txt", false, false},
		{[]string{`\{a,b\}`}, "", "{a,b}", false, true},
		{[]string{"[a-c].php"}, "", "b.php", false, true},
		{[]string{`\*x`}, "", "*x", false, true},
		{[]string{`\*x`}, "", "yx", false, false},
		{[]string{"a*a"}, "", "a", false, false},
		{[]string{"a*b*c"}, "", "a-b-c", false, true},
		{[]string{"a*b*c"}, "", "a-c", false, false},
		{[]string{"?"}, "", "xy", false, false},
		{[]string{"x[^z]"}, "", "xy", false, true},
		{[]string{"**"}, "a/b", "anything", false, true},
		{[]string{"*.log", "!keep.log"}, "", "keep.log", false, false},
		{[]string{"!keep.log", "*.log"}, "", "keep.log", false, false},
		{[]string{"*.log", "!keep.log"}, "", "other.log", false, true},

		{DefaultIgnore, "", "index.php", false, false},
		{DefaultIgnore, "", "vendor", true, false},
		{DefaultIgnore, "vendor/symfony", "cache", true, false},
		{DefaultIgnore, "", ".env", false, false},
		{DefaultIgnore, "", ".env.local", false, false},
		{DefaultIgnore, "", "var", true, false},
		{DefaultIgnore, "var", "cache", true, true},
		{DefaultIgnore, "", ".git", true, true},
		{DefaultIgnore, "assets", "node_modules", true, true},
		{DefaultIgnore, "src", ".User.php.swp", false, true},
		{DefaultIgnore, "src", ".User.php.swx", false, true},
		{DefaultIgnore, "src", "4913", false, true},
		{DefaultIgnore, "src", "User.php~", false, true},
		{DefaultIgnore, "src", "#User.php#", false, true},
		{DefaultIgnore, "src", ".#User.php", false, true},
		{DefaultIgnore, "src", "User.php___jb_tmp___", false, true},
		{DefaultIgnore, "storage/logs", "laravel.txt", false, false}, // never asked: the directory is ignored
		{DefaultIgnore, "storage", "logs", true, true},
		{DefaultIgnore, "database", "database.sqlite", false, true},
		{DefaultIgnore, "database", "database.sqlite-wal", false, true},
		{DefaultIgnore, "database", "migration.php", false, false},
		{DefaultIgnore, "", "cache", true, true},
		{DefaultIgnore, "sites/default", "files", true, true},
		{DefaultIgnore, "src/sites", "files", true, false},
	} {
		i, err := newIgnoring(c.globs)
		if err != nil {
			t.Fatalf("%q: %v", c.globs, err)
		}
		if got := i.match(at(c.dir), c.name, c.isDir); got != c.want {
			t.Errorf("%.60q ignores %s: %v, want %v", c.globs, join(c.dir, c.name), got, c.want)
		}
	}
}

// A directory behind a symbolic link has two names.
func TestIgnoringBehindLinks(t *testing.T) {
	n := &node{path: "/srv/app/storage", name: "/srv/app/public/files", rel: "public/files", realRel: "storage"}
	outside := &node{path: "/mnt/shared", name: "/srv/app/public/shared", rel: "public/shared"}
	for _, c := range []struct {
		n    *node
		glob string
		want bool
	}{
		{n, "storage/x", true},
		{n, "public/files/x", true},
		{n, "./storage/x", true},
		{n, "./public/files/x", true},
		{n, "/srv/app/storage/x", true},
		{n, "/srv/app/public/files/x", true},
		{n, "other/x", false},
		{outside, "shared/x", true},
		{outside, "/mnt/shared/x", true},
		{outside, "mnt/shared/x", false},
		{outside, "./x", false},
	} {
		i, err := newIgnoring([]string{c.glob})
		if err != nil {
			t.Fatal(err)
		}
		if got := i.match(c.n, "x", false); got != c.want {
			t.Errorf("%q ignores x in %s, really %s: %v, want %v", c.glob, c.n.name, c.n.path, got, c.want)
		}
	}
}

func TestCompileErrors(t *testing.T) {
	want := map[string]string{
		"":       `pattern "": empty pattern`,
		"/":      `pattern "/": empty pattern`,
		"./":     `pattern "./": empty pattern`,
		"a/../b": `pattern "a/../b": ".." is not possible in a pattern`,
		"[a":     `pattern "[a": syntax error in pattern`,
		"a{b":    `pattern "a{b": unclosed brace`,
		"{a,}/[": `pattern "{a,}/[": syntax error in pattern`,
		"{1,2,3,4,5,6,7,8,9,0}{1,2,3,4,5,6,7,8,9,0}{1,2,3,4,5,6,7,8,9,0}{1,2}": `pattern "{1,2,3,4,5,6,7,8,9,0}{1,2,3,4,5,6,7,8,9,0}{1,2,3,4,5,6,7,8,9,0}{1,2}": too many alternatives`,
	}
	got := map[string]string{}
	for glob := range want {
		if _, err := compile(glob); err != nil {
			got[glob] = err.Error()
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
	for glob := range want {
		if _, err := newIgnoring([]string{"!" + glob}); err == nil {
			t.Errorf("no error for %q", "!"+glob)
		}
	}
}

func TestMatchBeginning(t *testing.T) {
	for _, c := range []struct {
		pattern, dir string
		want         bool
	}{
		{"src/**/*.php", "src", true},
		{"src/**/*.php", "src/a/b", true},
		{"src/**/*.php", "lib", false},
		{"src/*.php", "src", true},
		{"src/*.php", "src/a", false},
		{"*.php", "", true},
		{"*.php", "a.php", false},
	} {
		if got := matchBeginning(split(c.pattern), split(c.dir)); got != c.want {
			t.Errorf("%s may be in %q: %v, want %v", c.pattern, c.dir, got, c.want)
		}
	}
}

func FuzzCompile(f *testing.F) {
	for _, g := range append([]string{"", "{", "{a,{b,c}}", "[", `\`, "a/**/b", "**", "!x", "{a}{b}"}, DefaultIgnore...) {
		f.Add(g, "b.php")
	}
	f.Fuzz(func(t *testing.T, glob, path string) {
		if len(glob) > 100 || len(path) > 100 {
			return
		}
		i, err := newIgnoring([]string{glob})
		if err != nil {
			return
		}
		i.match(at("a/b"), path, true)
		i.match(at(""), path, false)
		// A single segment means what path.Match says.
		if strings.ContainsAny(glob, "/{!") || glob == "." || strings.HasPrefix(glob, "**") || strings.Contains(path, "/") || path == "" {
			return
		}
		want, err := slashpath.Match(glob, path)
		if got := i.match(at("a"), path, false); err == nil && got != want {
			t.Errorf("%q matches %q: %v, want %v", glob, path, got, want)
		}
	})
}
