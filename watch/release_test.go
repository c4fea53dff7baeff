package watch

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestSymlinkedRelease(t *testing.T) {
	both(t, func(t *testing.T, s *site, watch func(Config)) {
		for _, r := range []string{"releases/1", "releases/2", "releases/3"} {
			s.write(r+"/public/index.php", r)
			s.write(r+"/src/a.php", r)
		}
		s.link("releases/1", "current")
		watch(Config{Trees: []string{"current/public"}})

		s.put("current/public/index.php", "edited")
		s.once("current/public/index.php")

		s.relink("releases/2", "current")
		s.once("current/public")
		s.put("releases/2/public/index.php", "edited")
		s.once("current/public/index.php")
		s.put("releases/1/public/index.php", "nobody looks")
		s.remove("releases/1")
		s.nothing("current/public")

		s.relink(s.path("releases/2"), "current") // the same directory, spelt otherwise
		s.nothing("current/public")

		// Not in one step, as ln -sfn does it.
		s.remove("current")
		s.link("releases/3", "current")
		s.expect("current/public")
		s.remove("releases/2")
		s.nothing("current/public")
	})
}

func TestReleaseBehindSeveralLinks(t *testing.T) {
	both(t, func(t *testing.T, s *site, watch func(Config)) {
		s.write("disk1/app/a.php", "1")
		s.write("disk2/app/a.php", "2")
		s.link("disk1", "disk")
		s.mkdir("srv")
		s.link("../disk/app", "srv/release")
		s.link("release", "srv/current")
		watch(Config{Trees: []string{"srv/current"}})
		s.put("disk1/app/a.php", "edited")
		s.once("srv/current/a.php")
		s.relink("disk2", "disk")
		s.once("srv/current")
		s.relink("../disk1/app", "srv/release")
		s.once("srv/current")
		s.relink("../disk2/app", "srv/current")
		s.once("srv/current")
		s.put("disk2/app/a.php", "edited")
		s.once("srv/current/a.php")
		s.nothing("srv/current")
	})
}

func TestDirectorySwapped(t *testing.T) {
	both(t, func(t *testing.T, s *site, watch func(Config)) {
		s.write("app/a.php", "1")
		s.write("next/a.php", "2")
		watch(Config{Trees: []string{"app"}})
		s.must(unix.Renameat2(unix.AT_FDCWD, s.path("app"), unix.AT_FDCWD, s.path("next"), unix.RENAME_EXCHANGE))
		s.once("app/a.php")
		s.put("app/a.php", "3")
		s.once("app/a.php")
		s.write("next/a.php", "nobody looks")
		s.nothing("app")
	})
}

// A tree that goes while it is being read has not lost its files one by one.
func TestVanishesDuringALook(t *testing.T) {
	s := newSite(t)
	s.write("app/a.php", "1")
	s.write("app/src/b.php", "1")
	s.watch(Config{Trees: []string{"app"}, Method: Polling})
	s.must(s.w.Close())
	tree := s.w.trees[0]
	for _, when := range []string{"app", "app/src"} {
		tree.watch = func(dir string) { // called right before a directory is read
			if dir == s.path(when) {
				tree.watch = func(string) {}
				s.rename("app", "gone")
			}
		}
		if changed := s.w.lookAtAll(); !changed.empty() {
			t.Errorf("gone before %s is read: unexpected changes: %v", when, changed.change())
		}
		s.logged("has vanished")
		s.rename("gone", "app")
		changed := s.w.lookAtAll()
		if diff := cmp.Diff([]string{s.path("app")}, changed.change().Files); diff != "" {
			t.Errorf("back again (-want +got):\n%s", diff)
		}
	}
}

func TestTreeThatIsMissing(t *testing.T) {
	both(t, func(t *testing.T, s *site, watch func(Config)) {
		watch(Config{Trees: []string{"a/b/app"}})
		s.logged("warn: watch: " + s.path("a/b/app") + " is not there (no such file or directory): waiting for it")
		s.write("elsewhere/app/src/a.php", "1")
		s.mkdir("a/b")
		s.rename("elsewhere/app", "a/b/app")
		s.once("a/b/app")
		s.logged("is there again")
		s.put("a/b/app/src/a.php", "2")
		s.once("a/b/app/src/a.php")

		s.rename("a/b", "gone")
		s.logged("a/b/app has vanished (no such file or directory): waiting for it")
		s.rename("gone", "a/b")
		s.once("a/b/app")
		s.put("a/b/app/src/a.php", "3")
		s.once("a/b/app/src/a.php")
		s.nothing("a/b/app")
	})
}

func TestTreeThatIsAFileOnTheWay(t *testing.T) {
	s := newSite(t)
	s.write("app", "a file where a directory should be")
	s.watch(Config{Trees: []string{"app/src"}})
	s.remove("app")
	s.mkdir("app/src")
	s.expect("app/src")
	s.nothing("app/src")
}

// A directory far above is renamed, of which there is no event.
func TestRenamedFarAbove(t *testing.T) {
	s := newSite(t)
	s.write("x/y/z/app/a.php", "1")
	sys := realSystem()
	sys.verify = 20 * time.Millisecond
	s.watchWith(Config{Trees: []string{"x/y/z/app"}}, sys)
	s.rename("x", "gone")
	s.logged("has vanished")
	s.rename("gone", "x")
	s.expect("x/y/z/app")
	s.put("x/y/z/app/a.php", "2")
	s.expect("x/y/z/app/a.php")
}

func TestLinksInTheTree(t *testing.T) {
	both(t, func(t *testing.T, s *site, watch func(Config)) {
		s.write("app/src/a.php", "1")
		s.write("shared/.env", "A=1")
		s.write("packages/acme/src/b.php", "1")
		s.write("packages/other/src/b.php", "1")
		s.mkdir("app/vendor")
		s.link("../shared/.env", "app/.env")                     // a deployment tool's shared file
		s.link("../../packages/acme", "app/vendor/acme")         // composer's path repository
		s.link(".", "app/loop")                                  // loops
		s.link("../..", "app/src/up")                            // holds the tree
		s.link("src", "app/alias")                               // a second name
		s.link("nowhere.php", "app/dead.php")                    // leads nowhere yet
		s.link("themselves", "app/themselves")                   // ELOOP
		s.link("/dev/null", "app/null")                          // no file
		s.link("../../../packages/acme/src", "app/vendor/twice") // dead: one .. too many
		watch(Config{Trees: []string{"app"}})

		s.put("app/src/a.php", "2")
		s.once("app/src/a.php")
		s.put("shared/.env", "A=2")
		s.once("app/.env")
		s.put("shared/other", "nothing to do with it")
		s.put("packages/acme/src/b.php", "2")
		s.once("app/vendor/acme/src/b.php")
		s.put("packages/acme/src/new.php", "1")
		s.once("app/vendor/acme/src/new.php")
		s.put("app/nowhere.php", "1")
		s.once("app/nowhere.php", "app/dead.php")
		s.write("outside.php", "in the directory that holds the tree")

		s.relink("../../packages/other", "app/vendor/acme")
		s.expect("app/vendor/acme", "app/vendor/acme/src/b.php", "app/vendor/acme/src/new.php")
		s.put("packages/other/src/b.php", "2")
		s.once("app/vendor/acme/src/b.php")
		s.put("packages/acme/src/b.php", "nobody looks")
		s.remove("app/alias")
		s.once("app/alias")
		s.nothing("app")
	})
}

// A link to an ignored directory does not bring it in by another name.
func TestLinkToIgnored(t *testing.T) {
	both(t, func(t *testing.T, s *site, watch func(Config)) {
		s.mkdir("app/storage/app/public", "app/public", "uploads")
		s.link("../storage/app/public", "app/public/storage")
		s.link("../../uploads", "app/public/files")
		watch(Config{Trees: []string{"app"}, Ignore: []string{"public/files"}})
		s.write("app/public/storage/avatar.png", "x")
		s.write("app/public/files/b.png", "x")
		s.nothing("app")
	})
}

func TestTooManyDirectories(t *testing.T) {
	s := newSite(t)
	for _, d := range strings.Split("abcdefgh", "") {
		s.mkdir("app/" + d)
	}
	s.watch(Config{Trees: []string{"app"}, Method: Polling})
	s.must(s.w.Close())
	tree := s.w.trees[0]
	tree.limit = 4
	tree.forget()
	tree.settle(&changeSet{})
	tree.refresh(&changeSet{})
	if got := len(tree.nodes); got != 4 {
		t.Errorf("%d directories are watched, want 4", got)
	}
	s.logged("error: watch: " + s.path("app") + " has more than 4 directories: the rest is not watched; ignore what is no code")
}

func TestUnreadableDirectory(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root reads everything")
	}
	s := newSite(t)
	s.write("app/closed/a.php", "1")
	s.must(os.Chmod(s.path("app/closed"), 0))
	t.Cleanup(func() { _ = os.Chmod(s.path("app/closed"), 0o755) })
	s.watch(Config{Trees: []string{"app"}})
	s.logged("app/closed are not seen: ")
	s.nothing("app")
}
