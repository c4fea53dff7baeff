// Package archtest holds the directions in which packages may import each other, as docs/ARCHITECTURE.md says them.
//
// It reads every Go file below the module's root whatever its build tags say, tests too, and needs no Go command to do so.
package archtest

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "php-supervisor"

// allowed is what each part may import of the module. A part is the first element of a path below the module, and a part may
// always import what is below itself.
var allowed = map[string][]string{
	"fcgi":     {},
	"recycle":  {},
	"watch":    {},
	"pool":     {"fcgi", "recycle"},
	"internal": {"pool", "watch", "fcgi", "recycle"},
	"cmd":      {"internal", "pool", "watch", "fcgi", "recycle"},
	// Tests of the whole see it from the outside: as processes, sockets and files.
	"test": {},
}

func TestImportsPointOneWay(t *testing.T) {
	root := moduleRoot(t)
	for _, f := range goFiles(t, root) {
		from := part(filepath.ToSlash(f))
		may, known := allowed[from]
		if !known {
			t.Errorf("%s: the part %q is not in the table of docs/ARCHITECTURE.md and of this test", f, from)
			continue
		}
		for _, imported := range imports(t, filepath.Join(root, f)) {
			below, ours := strings.CutPrefix(imported, module+"/")
			if to := part(below); ours && to != from && !slices.Contains(may, to) {
				t.Errorf("%s imports %s: %s may import %v of the module", f, imported, from, may)
			}
		}
	}
}

// TestNoGrabBags holds that a package's name says what it is about.
func TestNoGrabBags(t *testing.T) {
	for _, f := range goFiles(t, moduleRoot(t)) {
		for _, element := range strings.Split(filepath.ToSlash(filepath.Dir(f)), "/") {
			if slices.Contains([]string{"util", "utils", "common", "helper", "helpers", "misc"}, element) {
				t.Errorf("%s: a package called %q holds what has no place", f, element)
			}
		}
	}
}

func part(name string) string {
	first, _, _ := strings.Cut(path.Clean(name), "/")
	return first
}

// moduleRoot is the directory of go.mod: tests run in that of their package.
func moduleRoot(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		above := filepath.Dir(dir)
		if above == dir {
			t.Fatal("no go.mod above the test")
		}
		dir = above
	}
}

// goFiles are the module's, relative to its root.
func goFiles(t *testing.T, root string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		switch {
		case d.IsDir() && rel != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || rel == "build" || rel == "bin"):
			return filepath.SkipDir
		case !d.IsDir() && strings.HasSuffix(name, ".go"):
			files = append(files, rel)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 50 {
		t.Fatalf("found only %d Go files below %s", len(files), root)
	}
	return files
}

func imports(t *testing.T, file string) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		t.Error(err)
		return nil
	}
	var paths []string
	for _, i := range f.Imports {
		p, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			t.Error(err)
		}
		paths = append(paths, p)
	}
	return paths
}
