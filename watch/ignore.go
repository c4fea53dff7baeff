package watch

import "strings"

// DefaultIgnore is ignored unless Config.NoDefaultIgnore says otherwise: what is written while a site is edited or
// served without being part of its code. "vendor" is not among it: composer install changes code.
//
// Caches are named by the places where frameworks keep them, not by the name alone: vendor/symfony/cache is code.
var DefaultIgnore = []string{
	// version control
	".git", ".hg", ".svn", ".jj",
	// editors, desktops, file systems
	"*~", ".*.sw[a-z]", "4913", "#*#", ".#*", "*.tmp", "*___jb_tmp___", "*___jb_old___", ".~lock.*#", "*.kate-swp", ".goutputstream-*",
	".idea", ".vscode", ".fleet", ".zed", ".DS_Store", "Thumbs.db", ".nfs*", ".fuse_hidden*",
	// other languages' packages: large, and not PHP
	"node_modules",
	// logs, databases, sessions
	"*.log", "*.pid", "*.sock", "sess_*",
	"*.{sqlite,sqlite3,db}", "*.{sqlite,sqlite3,db}-{journal,wal,shm}",
	// tools
	".phpunit.cache", ".phpunit.result.cache", ".php-cs-fixer.cache", ".php_cs.cache", ".phpstan.cache", ".cache",
	// Symfony; Laravel; CakePHP, Nette, Yii, CodeIgniter; TYPO3; WordPress; Drupal; DokuWiki
	"var/cache", "var/log", "var/logs", "var/sessions",
	"storage/app", "storage/clockwork", "storage/debugbar", "storage/framework", "storage/logs", "storage/pail", "bootstrap/cache",
	"./cache", "./tmp", "./temp", "./log", "./logs", "./runtime", "./writable",
	"typo3temp",
	"wp-content/cache", "wp-content/upgrade", "wp-content/uploads",
	"sites/*/files",
	"data/cache", "data/index", "data/locks", "data/tmp",
}

// ignoring decides what in a tree is not looked at.
type ignoring struct {
	drop, keep *matcher // keep wins
}

func newIgnoring(globs []string) (*ignoring, error) {
	var drop, keep []string
	for _, g := range globs {
		if kept, ok := strings.CutPrefix(g, "!"); ok {
			keep = append(keep, kept)
		} else {
			drop = append(drop, g)
		}
	}
	d, err := newMatcher(drop)
	if err != nil {
		return nil, err
	}
	k, err := newMatcher(keep)
	if err != nil {
		return nil, err
	}
	return &ignoring{drop: d, keep: k}, nil
}

func (i *ignoring) match(n *node, name string, isDir bool) bool {
	return i.drop.match(n, name, isDir) && !i.keep.match(n, name, isDir)
}
