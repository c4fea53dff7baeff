// Package apps lays out the applications that tests, the demonstration and the benchmarks serve:
// plain PHP scripts, a small Symfony 5.4 application, and Debian's DokuWiki.
//
// Every Lay function writes one complete instance below a directory of the caller's and touches
// nothing else; the network is never used. What the web server's user must write to belongs to that
// user afterwards, the code does not. Symfony and DokuWiki come from Debian's packages
// (php-symfony-framework-bundle, dokuwiki); without them the functions return an error that names
// the package.
package apps

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

//go:embed all:php all:symfony
var sources embed.FS

// Owner is the user who may write where the application writes.
type Owner struct{ UID, GID int }

// give hands everything below dir to the owner. Only root can; anybody else serves as himself.
func (o Owner) give(dir string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, o.UID, o.GID)
	})
}

// LayPHP writes the plain scripts and returns the document root, which is dir.
func LayPHP(dir string) (root string, err error) {
	if err := copyTree(sources, "php", dir); err != nil {
		return "", fmt.Errorf("lay out PHP scripts: %w", err)
	}
	if err := age(dir); err != nil {
		return "", fmt.Errorf("lay out PHP scripts: %w", err)
	}
	return dir, nil
}

// Symfony is one instance of the Symfony application.
type Symfony struct {
	Root   string // document root; index.php is its front controller
	Worker string // the script of worker mode
}

// LaySymfony writes the application and compiles its container and routes with the php program given,
// as the owner, so that no request has to.
func LaySymfony(dir, php string, owner Owner) (*Symfony, error) {
	const bundle = "/usr/share/php/Symfony/Bundle/FrameworkBundle/autoload.php"
	if _, err := os.Stat(bundle); err != nil {
		return nil, fmt.Errorf("lay out Symfony: package php-symfony-framework-bundle is missing: %w", err)
	}
	if err := copyTree(sources, "symfony", dir); err != nil {
		return nil, fmt.Errorf("lay out Symfony: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "var", "sessions"), 0o755); err != nil {
		return nil, fmt.Errorf("lay out Symfony: %w", err)
	}
	if out, err := exec.Command(php, filepath.Join(dir, "bin", "warm.php")).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("warm Symfony: %w\n%s", err, out)
	}
	if err := age(dir); err != nil {
		return nil, fmt.Errorf("lay out Symfony: %w", err)
	}
	if err := owner.give(filepath.Join(dir, "var")); err != nil {
		return nil, fmt.Errorf("lay out Symfony: %w", err)
	}
	public := filepath.Join(dir, "public")
	return &Symfony{Root: public, Worker: filepath.Join(public, "worker.php")}, nil
}

// age makes everything below dir an hour old: OPcache does not keep a file that is younger than
// opcache.file_update_protection (2 seconds).
func age(dir string) error {
	old := time.Now().Add(-time.Hour)
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return os.Chtimes(path, old, old)
	})
}

// copyTree copies a directory of fsys to dst, readable by everybody.
func copyTree(fsys fs.FS, src, dst string) error {
	return fs.WalkDir(fsys, src, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		to := filepath.Join(dst, strings.TrimPrefix(path, src))
		if d.IsDir() {
			return os.MkdirAll(to, 0o755)
		}
		content, err := fs.ReadFile(fsys, path)
		if err != nil {
			return err
		}
		return os.WriteFile(to, content, 0o644)
	})
}

// copyFiles copies a tree of the file system, following the symbolic links of Debian's packages;
// skip says which slash-separated paths below src to leave out.
func copyFiles(src, dst string, skip func(rel string) bool) error {
	var walk func(rel string) error
	walk = func(rel string) error {
		if rel != "." && skip != nil && skip(filepath.ToSlash(rel)) {
			return nil
		}
		from, to := filepath.Join(src, rel), filepath.Join(dst, rel)
		info, err := os.Stat(from)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a link to something Debian keeps in another package
		}
		if err != nil {
			return err
		}
		if !info.IsDir() {
			content, err := os.ReadFile(from)
			if err != nil {
				return err
			}
			return os.WriteFile(to, content, 0o644)
		}
		if err := os.MkdirAll(to, 0o755); err != nil {
			return err
		}
		entries, err := os.ReadDir(from)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := walk(filepath.Join(rel, e.Name())); err != nil {
				return err
			}
		}
		return nil
	}
	return walk(".")
}
