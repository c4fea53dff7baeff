package watch

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// deaf is a notifier that has watches but tells nothing except what a test sends.
type deaf struct {
	events chan fsnotify.Event
	errors chan error
	refuse func(dir string) error

	mu   sync.Mutex
	dirs []string
	shut bool
}

func newDeaf(refuse func(dir string) error) *deaf {
	return &deaf{events: make(chan fsnotify.Event), errors: make(chan error), refuse: refuse}
}

func (d *deaf) Add(dir string) error {
	if d.refuse != nil {
		if err := d.refuse(dir); err != nil {
			return err
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !slices.Contains(d.dirs, dir) {
		d.dirs = append(d.dirs, dir)
	}
	return nil
}

func (d *deaf) Remove(dir string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dirs = slices.DeleteFunc(d.dirs, func(other string) bool { return other == dir })
	return nil
}

func (d *deaf) WatchList() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.dirs)
}

func (d *deaf) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.shut {
		d.shut = true
		close(d.events)
		close(d.errors)
	}
	return nil
}

func (d *deaf) closed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.shut
}

func (d *deaf) system() system {
	s := realSystem()
	s.open = func() (stream, error) { return stream{d, d.events, d.errors}, nil }
	return s
}

func TestOverflowOfTheQueue(t *testing.T) {
	s := newSite(t)
	s.write("app/src/deep/a.php", "1")
	d := newDeaf(nil)
	s.watchWith(Config{Trees: []string{"app"}}, d.system())
	s.put("app/src/deep/a.php", "2")
	s.write("app/src/deep/er/b.php", "1")
	d.errors <- fmt.Errorf("wrapped: %w", fsnotify.ErrEventOverflow)
	s.once("app/src/deep/a.php", "app/src/deep/er/b.php")
	d.errors <- unix.EINVAL // of one watch that was lost
	d.events <- fsnotify.Event{Name: s.path("app/src/deep/a.php"), Op: fsnotify.Write}
	s.put("app/src/deep/a.php", "3")
	d.errors <- fsnotify.ErrEventOverflow
	s.once("app/src/deep/a.php")
	if log := s.log.all(); log != "" {
		t.Errorf("unexpected log:\n%s", log)
	}
}

func TestMoreEventsThanAreRemembered(t *testing.T) {
	src := &source{events: map[string]fsnotify.Op{}}
	for i := range maxEvents + 1 {
		src.event(fsnotify.Event{Name: fmt.Sprint("/", i), Op: fsnotify.Write})
	}
	events, overflow, _ := src.take()
	if !overflow || len(events) != 0 {
		t.Errorf("overflow %v with %d events, want true with none", overflow, len(events))
	}
	src.event(fsnotify.Event{Name: "/one", Op: fsnotify.Write})
	src.event(fsnotify.Event{Name: "/one", Op: fsnotify.Remove})
	src.event(fsnotify.Event{})
	events, overflow, _ = src.take()
	want := map[string]fsnotify.Op{"/one": fsnotify.Write | fsnotify.Remove}
	if diff := cmp.Diff(want, events); overflow || diff != "" {
		t.Errorf("overflow %v, events (-want +got):\n%s", overflow, diff)
	}
}

func TestNoWatchesLeft(t *testing.T) {
	for _, err := range []error{unix.ENOSPC, unix.ENOMEM} {
		t.Run(err.Error(), func(t *testing.T) {
			s := newSite(t)
			s.write("app/a/b/c.php", "1")
			s.write("app/d.php", "1")
			d := newDeaf(func(dir string) error {
				if dir == s.path("app/a/b") {
					return fmt.Errorf("add: %w", err)
				}
				return nil
			})
			s.watchWith(Config{Trees: []string{"app"}}, d.system())
			s.logged("warn: watch: polling every 30ms: ")
			if !d.closed() {
				t.Error("events that are of no use were not closed")
			}
			s.put("app/a/b/c.php", "2")
			s.once("app/a/b/c.php")
			s.put("app/d.php", "2")
			s.once("app/d.php")
			s.nothing("app")
		})
	}
}

func TestNoWatchesLeftLater(t *testing.T) {
	s := newSite(t)
	s.write("app/a.php", "1")
	var full atomic.Bool
	real, err := openInotify()
	s.must(err)
	sys := realSystem()
	sys.open = func() (stream, error) {
		real.notifier = &refusing{real.notifier, func() error {
			if full.Load() {
				return unix.ENOSPC
			}
			return nil
		}}
		return real, nil
	}
	s.watchWith(Config{Trees: []string{"app"}}, sys)
	s.put("app/a.php", "2")
	s.once("app/a.php")
	full.Store(true)
	s.put("app/a.php", "3")
	s.expect("app/a.php")
	s.logged("warn: watch: polling every 30ms: no inotify watches left for this user; see sysctl fs.inotify.max_user_watches")
	s.write("app/new/b.php", "1")
	s.expect("app/new/b.php")
	s.nothing("app")
}

type refusing struct {
	notifier
	refuse func() error
}

func (r *refusing) Add(dir string) error {
	if err := r.refuse(); err != nil {
		return err
	}
	return r.notifier.Add(dir)
}

func TestNoInstancesLeft(t *testing.T) {
	s := newSite(t)
	s.write("app/a.php", "1")
	sys := realSystem()
	sys.open = func() (stream, error) { return stream{}, fmt.Errorf("couldn't initialize inotify: %w", unix.EMFILE) }
	s.watchWith(Config{Trees: []string{"app"}}, sys)
	s.logged("warn: watch: polling every 30ms: no inotify instances or descriptors left; see sysctl fs.inotify.max_user_instances and ulimit -n")
	s.put("app/a.php", "2")
	s.once("app/a.php")
}

func TestReadingEventsFails(t *testing.T) {
	s := newSite(t)
	s.write("app/a.php", "1")
	d := newDeaf(nil)
	s.watchWith(Config{Trees: []string{"app"}}, d.system())
	d.errors <- errors.New("something is broken")
	s.logged("warn: watch: polling every 30ms: something is broken")
	s.put("app/a.php", "2")
	s.once("app/a.php")
}

func TestRefusedDirectoryIsToldOnce(t *testing.T) {
	s := newSite(t)
	s.write("app/a/b.php", "1")
	d := newDeaf(func(dir string) error {
		if dir == s.path("app/a") {
			return unix.EACCES
		}
		return nil
	})
	s.watchWith(Config{Trees: []string{"app"}}, d.system())
	for i := range 3 {
		s.put("app/a/b.php", fmt.Sprint("again", i))
		d.errors <- fsnotify.ErrEventOverflow
		s.once("app/a/b.php")
	}
	if got, want := s.log.all(), fmt.Sprintf("warn: watch: no events for %s: permission denied", s.path("app/a")); got != want {
		t.Errorf("log:\n%s\nwant:\n%s", got, want)
	}
}

func TestRemoteFileSystem(t *testing.T) {
	remote := func(s *site, kind int64) system {
		sys := realSystem()
		sys.fileSystem = func(dir string) int64 {
			if inside(dir, s.path("app/mnt")) {
				return kind
			}
			return fileSystem(dir)
		}
		return sys
	}
	t.Run("polls", func(t *testing.T) {
		s := newSite(t)
		s.write("app/mnt/a.php", "1")
		s.watchWith(Config{Trees: []string{"app"}}, remote(s, unix.NFS_SUPER_MAGIC))
		s.logged("warn: watch: polling every 30ms: " + s.path("app/mnt") + " is on NFS, where changes from outside cause no events")
		s.put("app/mnt/a.php", "2")
		s.once("app/mnt/a.php")
		s.nothing("app")
	})
	t.Run("events if asked for", func(t *testing.T) {
		s := newSite(t)
		s.write("app/mnt/a.php", "1")
		s.watchWith(Config{Trees: []string{"app"}, Method: Events, PollInterval: time.Hour}, remote(s, unix.NFS_SUPER_MAGIC))
		s.put("app/mnt/a.php", "2")
		s.once("app/mnt/a.php")
		if log := s.log.all(); log != "" {
			t.Errorf("unexpected log:\n%s", log)
		}
	})
	t.Run("inode numbers that do not last", func(t *testing.T) {
		s := newSite(t)
		s.write("app/mnt/a.php", "1")
		s.write("app/a.php", "1")
		s.watchWith(Config{Trees: []string{"app"}}, remote(s, unix.FUSE_SUPER_MAGIC))
		s.another("app/mnt/a.php")
		s.another("app/a.php")
		s.once("app/a.php")
		s.put("app/mnt/a.php", "two")
		s.once("app/mnt/a.php")
		s.nothing("app")
	})
}
