package request

import (
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Kind is what a URL leads to.
type Kind int

// The zero Kind is none of them.
const (
	Script    Kind = iota + 1 // a PHP script is to answer
	File                      // a file that can be sent as it is
	Directory                 // a directory named without its slash: redirect
	Missing                   // nothing
)

func (k Kind) String() string {
	return [...]string{"invalid", "script", "file", "directory", "missing"}[k]
}

// Target is a place in a document root.
type Target struct {
	Kind     Kind
	Root     string // DOCUMENT_ROOT, absolute
	Filename string // SCRIPT_FILENAME, or the file or directory
	Name     string // SCRIPT_NAME, or the path of the URL
	PathInfo string // what follows the script in the URL
}

// Site is a document root.
type Site struct {
	Root string // absolute
	// Front is the script that answers where there is neither file nor script, as a path in the URL; "" = /index.php
	// where that exists.
	Front string
}

// Resolve finds what a path of a URL (decoded, without the query) leads to, as the usual nginx configuration does:
// the script it names, with path info; the file it names; index.php or index.html of the directory it names; else the
// front controller.
//
// A result of kind File is never a PHP source, a copy an editor made of one, or a file under a name that begins with a
// dot (.well-known apart), neither by the name in the URL nor by the name it has behind symbolic links. Symbolic links
// are followed, out of the root too: whoever can make one there can as well put a script there.
func (s Site) Resolve(urlPath string) Target {
	t := Target{Kind: Missing, Root: s.Root}
	if strings.ContainsRune(urlPath, 0) {
		return t
	}
	p := path.Clean("/" + urlPath)
	slash := strings.HasSuffix(urlPath, "/") && p != "/"
	t.Name, t.Filename = p, s.file(p)
	if hidden(p) {
		return t
	}
	if script, info, ok := s.splitScript(p); ok {
		if slash {
			info += "/"
		}
		return Target{Kind: Script, Root: s.Root, Name: script, Filename: s.file(script), PathInfo: info}
	}
	fi, err := os.Stat(t.Filename)
	switch {
	case err == nil && fi.IsDir():
		if !slash && p != "/" {
			t.Kind = Directory
			return t
		}
		for _, index := range []string{"index.php", "index.html"} {
			name := path.Join(p, index)
			if !regular(s.file(name)) {
				continue
			}
			t.Kind, t.Name, t.Filename = Script, name, s.file(name)
			if index == "index.html" {
				t.Kind = s.fileKind(name)
			}
			return t
		}
	case err == nil && !slash && fi.Mode().IsRegular():
		t.Kind = s.fileKind(p)
		return t
	}
	front := s.Front
	if front == "" {
		if front = "/index.php"; !regular(s.file(front)) {
			return t
		}
	}
	return Target{Kind: Script, Root: s.Root, Name: front, Filename: s.file(front)}
}

func (s Site) file(urlPath string) string { return filepath.Join(s.Root, filepath.FromSlash(urlPath)) }

// splitScript finds the first script in the path: /a/b.php/c is b.php with path info /c.
func (s Site) splitScript(p string) (script, info string, ok bool) {
	for i := 1; i <= len(p); i++ {
		if (i == len(p) || p[i] == '/') && strings.HasSuffix(p[:i], ".php") && regular(s.file(p[:i])) {
			return p[:i], p[i:], true
		}
	}
	return "", "", false
}

// fileKind is File if the file at that path of the URL may be sent.
func (s Site) fileKind(p string) Kind {
	if isSource(path.Base(p)) {
		return Missing
	}
	real, err := filepath.EvalSymlinks(s.file(p))
	if err != nil || isSource(filepath.Base(real)) || strings.HasPrefix(filepath.Base(real), ".") {
		return Missing
	}
	return File
}

func regular(file string) bool {
	fi, err := os.Stat(file)
	return err == nil && fi.Mode().IsRegular()
}

// hidden says whether a part of the path begins with a dot: .git, .env, .htaccess.
func hidden(p string) bool {
	for part := range strings.SplitSeq(p, "/") {
		if strings.HasPrefix(part, ".") && part != ".well-known" {
			return true
		}
	}
	return false
}

// isSource says whether a file's name looks like PHP, whatever is appended: x.php, x.PHP5, x.php~, x.inc.php.bak.
func isSource(name string) bool {
	parts := strings.Split(strings.ToLower(name), ".")
	for _, ext := range parts[1:] {
		ext = strings.TrimRight(ext, "~#_0123456789")
		switch ext {
		case "php", "phtml", "pht", "phps", "phar", "inc":
			return true
		}
	}
	return false
}
