package apps

import (
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// DokuWiki is one instance of Debian's DokuWiki with one administrator.
type DokuWiki struct {
	Root     string // document root; doku.php is the front page
	User     string
	Password string
}

// LayDokuWiki copies Debian's DokuWiki to dir with data and configuration of its own. Everybody may
// read, the administrator may do everything. The code is copied, not linked: DokuWiki finds its
// configuration beside the file it runs from.
func LayDokuWiki(dir, password string, owner Owner) (*DokuWiki, error) {
	const (
		code = "/usr/share/dokuwiki"
		conf = "/etc/dokuwiki"
		data = "/var/lib/dokuwiki/data"
		user = "admin"
	)
	if _, err := os.Stat(filepath.Join(code, "doku.php")); err != nil {
		return nil, fmt.Errorf("lay out DokuWiki: package dokuwiki is missing: %w", err)
	}
	// Debian's preload.php sends every instance to /etc/dokuwiki, the installer offers itself to
	// everybody, and the testing plugin's directory is closed to other users.
	err := copyFiles(code, dir, func(rel string) bool {
		if i := strings.LastIndex(rel, "lang/"); i >= 0 && rel[i:] != "lang/en" && !strings.Contains(rel[i:], "/en/") && isDir(filepath.Join(code, rel)) {
			return true // 80 languages are most of its 3000 files
		}
		return rel == "inc/preload.php" || rel == "install.php" || rel == "lib/plugins/testing" || strings.HasSuffix(rel, ".htaccess")
	})
	if err != nil {
		return nil, fmt.Errorf("lay out DokuWiki: %w", err)
	}
	private := map[string]bool{"local.php": true, "acl.auth.php": true, "users.auth.php": true, "apache.conf": true, "lighttpd.conf": true, "htaccess": true}
	if err := copyFiles(conf, filepath.Join(dir, "conf"), func(rel string) bool { return private[rel] }); err != nil {
		return nil, fmt.Errorf("lay out DokuWiki: %w", err)
	}
	// Debian keeps the first pages for www-data's eyes only; without them the wiki begins empty.
	err = copyFiles(data, filepath.Join(dir, "data"), func(rel string) bool { return strings.HasPrefix(rel, "dont-panic") })
	if err != nil && !errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("lay out DokuWiki: %w", err)
	}
	for _, d := range []string{"attic", "cache", "index", "locks", "log", "media", "media_attic", "media_meta", "meta", "pages", "tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, "data", d), 0o755); err != nil {
			return nil, fmt.Errorf("lay out DokuWiki: %w", err)
		}
	}
	hash, err := saltedSHA1(password)
	if err != nil {
		return nil, fmt.Errorf("lay out DokuWiki: %w", err)
	}
	for name, content := range map[string]string{
		"conf/local.php": fmt.Sprintf(`<?php
$conf['title'] = 'DokuWiki behind php-supervisor';
$conf['license'] = '';
$conf['useacl'] = 1;
$conf['superuser'] = '@admin';
$conf['savedir'] = '%s';
$conf['dmode'] = 0755;
$conf['updatecheck'] = 0;
`, filepath.Join(dir, "data")),
		"conf/acl.auth.php":          "# <?php exit()?>\n*\t@ALL\t1\n*\t@user\t8\n",
		"conf/users.auth.php":        fmt.Sprintf("# <?php exit()?>\n%s:%s:Administrator:admin@example.test:admin,user\n", user, hash),
		"data/pages/start.txt":       "====== Start ======\n\nThis wiki runs on **long-lived php-cli workers** behind nginx. See the [[wiki:syntax|syntax]], or edit this page.\n\n  * one\n  * two\n    * three\n\n| ^ a ^ b ^\n^ 1 | x | y |\n",
		"conf/plugins.protected.php": "<?php\n$plugins['extension'] = 0;\n$plugins['popularity'] = 0;\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			return nil, fmt.Errorf("lay out DokuWiki: %w", err)
		}
	}
	if err := age(dir); err != nil {
		return nil, fmt.Errorf("lay out DokuWiki: %w", err)
	}
	for _, d := range []string{"conf", "data"} {
		if err := owner.give(filepath.Join(dir, d)); err != nil {
			return nil, fmt.Errorf("lay out DokuWiki: %w", err)
		}
	}
	return &DokuWiki{Root: dir, User: user, Password: password}, nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// saltedSHA1 is the best of DokuWiki's password formats that needs nothing but Go's own library; the
// instance lives on the loopback address and only as long as its test or demonstration.
func saltedSHA1(password string) (string, error) {
	salt := make([]byte, 4)
	if _, err := rand.Read(salt); err != nil {
		return "", err
	}
	sum := sha1.Sum(append([]byte(password), salt...))
	return "{SSHA}" + base64.StdEncoding.EncodeToString(append(sum[:], salt...)), nil
}
