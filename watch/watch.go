// Package watch tells when the files of a site have changed.
//
// Guarantees:
//   - Every change made after [New] has returned leads to a [Change], unless it is undone before it is looked at (an editor's
//     temporary file). It is reported once, together with all that happens until it has been quiet for a while
//     (Config.Debounce), but no later than Config.MaxDelay after the first of them, provided that the reader takes it.
//   - A change is that a file, or a symbolic link, has come, gone, or has another size, time of modification or inode.
//     Permissions, owners, times of access, reading and directories by themselves are none; nor is anything that is ignored.
//   - The reader never blocks the watcher: while a Change waits to be taken, further ones are added to it.
//   - A tree may be missing, may vanish and come back, may be a symbolic link or lie behind some, and may be replaced by renaming.
//     That it leads elsewhere, or is back, is one change. That it is gone is logged, but is no change.
//   - Directories that appear are watched with all that is in them already. Symbolic links to directories and files
//     are followed, also out of the tree, except to a directory that holds the tree; loops do no harm.
//   - Where the kernel gives no events (its limits are used up; network mounts; a host's directories in a container),
//     directories are polled instead, which is logged with its reason. Polling takes no more than about a tenth of a processor.
//   - After [Watcher.Close] no goroutine and no descriptor is left.
//
// Events are only hints where to look: what has changed is found by comparing directories with what they were. So lost and
// repeated events do no harm, and polling finds the same changes.
//
// What it does not do: compare contents (touch(1) is a change), see a change that leaves size, time and inode as they were,
// or watch more than 65,536 directories of a tree.
//
//	w, err := watch.New(watch.Config{Trees: []string{"/srv/app/current"}, Log: logger})
//	…
//	for change := range w.Changes() {
//		reload(change.String())
//	}
package watch

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Method is how changes are noticed.
type Method uint8

const (
	// Auto takes events from the kernel, and polls where that does not work.
	Auto Method = iota
	// Events takes events on any file system; it polls only if the kernel refuses.
	Events
	// Polling looks at all files from time to time.
	Polling
)

// Defaults of Config.
const (
	DefaultDebounce     = 150 * time.Millisecond
	DefaultMaxDelay     = 2 * time.Second
	DefaultPollInterval = time.Second
)

// Logger is what a watcher says in words: hclog's or any other. Its methods are called from New and from the watcher's
// goroutine, and must not call Close.
type Logger interface {
	Info(msg string, args ...any)
	Warn(msg string, args ...any)
	Error(msg string, args ...any)
}

// Config is what to watch, and how.
type Config struct {
	// Trees are directories, with all below them, single files, or globs of files such as "src/**/*.{php,twig}".
	// Relative ones start at the current directory.
	Trees []string
	// Ignore is globs of files and directories to leave out, besides [DefaultIgnore]. One without a slash stands for a
	// name at any depth, one with a slash ("var/cache") for a path at any depth; "./" at its start ties it to the tree's root,
	// "/" makes it an absolute path, a slash at its end lets it match directories only. "**" stands for any directories, "{a,b}" for
	// alternatives. One that starts with "!" brings back what others ignore, though not from within an ignored directory.
	Ignore []string
	// NoDefaultIgnore leaves DefaultIgnore out.
	NoDefaultIgnore bool

	// Debounce is how long it has to be quiet before a change is reported; zero means DefaultDebounce.
	Debounce time.Duration
	// MaxDelay is how long a change is held back at most while others follow; zero means DefaultMaxDelay.
	MaxDelay time.Duration

	Method Method
	// PollInterval is the time between two looks when polling; zero means DefaultPollInterval. Large trees are looked at
	// less often.
	PollInterval time.Duration

	// Log may be nil.
	Log Logger
}

// verifyInterval is how often it is made sure that the trees are still where they were, in case a directory far above has
// been renamed or mounted over, of which there are no events.
const verifyInterval = 5 * time.Second

// system is what tests replace.
type system struct {
	open       func() (stream, error)
	fileSystem func(dir string) int64
	verify     time.Duration
}

// Watcher watches until it is closed. Its methods may be called from any goroutine.
type Watcher struct {
	changes chan Change   // closed by run at its end
	stop    chan struct{} // closed by Close
	done    chan struct{} // closed by run at its very end
	once    sync.Once

	// The rest belongs to New and then to run.
	cfg       Config
	sys       system
	trees     []*tree
	src       *source // nil when polling
	broken    error   // why src is of no use any more
	refused   map[string]struct{}
	unsettled bool // trees may lead elsewhere
	quiet     *debouncer
	tick      *time.Timer
	took      time.Duration // how long the last look at everything took
	held      changeSet     // of the burst that is going on
	pending   changeSet     // to be taken by the reader
}

// New starts watching. It has looked at all trees once when it returns. That a tree is missing, or that the kernel
// cannot help, is no error but logged; that there are no trees, or that a glob is malformed, is one.
func New(cfg Config) (*Watcher, error) {
	return newWatcher(cfg, system{open: openInotify, fileSystem: fileSystem, verify: verifyInterval})
}

func newWatcher(cfg Config, sys system) (*Watcher, error) {
	if len(cfg.Trees) == 0 {
		return nil, errors.New("watch: no trees")
	}
	orDefault(&cfg.Debounce, DefaultDebounce)
	orDefault(&cfg.MaxDelay, DefaultMaxDelay)
	orDefault(&cfg.PollInterval, DefaultPollInterval)
	if cfg.Log == nil {
		cfg.Log = silence{}
	}
	ignore := cfg.Ignore
	if !cfg.NoDefaultIgnore {
		ignore = slices.Concat(DefaultIgnore, ignore)
	}
	drop, err := newIgnoring(ignore)
	if err != nil {
		return nil, fmt.Errorf("watch: ignore: %w", err)
	}
	w := &Watcher{
		changes: make(chan Change), stop: make(chan struct{}), done: make(chan struct{}),
		cfg: cfg, sys: sys, refused: map[string]struct{}{},
		quiet: newDebouncer(cfg.Debounce, cfg.MaxDelay),
	}
	for _, spec := range cfg.Trees {
		t, err := newTree(spec, drop)
		if err != nil {
			return nil, fmt.Errorf("watch: %w", err)
		}
		t.log, t.fileSystem, t.watch = cfg.Log, sys.fileSystem, func(dir string) { w.watchDir(dir) }
		w.trees = append(w.trees, t)
	}
	if cfg.Method != Polling {
		if s, err := sys.open(); err != nil {
			w.broken = err
		} else {
			w.src = newSource(s)
		}
	}
	w.unsettled = true
	w.lookAtAll()
	w.tick = time.NewTimer(w.interval())
	go w.run()
	return w, nil
}

func orDefault(d *time.Duration, value time.Duration) {
	if *d <= 0 {
		*d = value
	}
}

type silence struct{}

func (silence) Info(string, ...any)  {}
func (silence) Warn(string, ...any)  {}
func (silence) Error(string, ...any) {}

// Changes delivers one Change a burst. The watcher closes the channel when it is closed, and drops what has not been taken.
func (w *Watcher) Changes() <-chan Change { return w.changes }

// Close stops watching, and returns when all is released. It may be called again. It never fails.
func (w *Watcher) Close() error {
	w.once.Do(func() { close(w.stop) })
	<-w.done
	return nil
}

func (w *Watcher) run() {
	defer close(w.done)
	defer close(w.changes)
	defer func() {
		w.quiet.settled()
		w.tick.Stop()
		if w.src != nil {
			w.src.close()
		}
	}()
	var next Change
	var out chan Change // nil while there is nothing to take
	for {
		var ready chan struct{}
		if w.src != nil {
			ready = w.src.ready
		}
		select {
		case <-w.stop:
			return
		case out <- next:
			w.pending, out = changeSet{}, nil
		case <-ready:
			w.receive()
		case <-w.quiet.C():
			if w.burstOver() && !w.pending.empty() {
				next, out = w.pending.change(), w.changes
			}
		case <-w.tick.C:
			w.verify()
			w.tick.Reset(w.interval())
		}
	}
}

// interval is the time until verify is to be called again.
func (w *Watcher) interval() time.Duration {
	if w.src != nil {
		return w.sys.verify
	}
	return max(w.cfg.PollInterval, 10*w.took)
}

// receive takes events in.
func (w *Watcher) receive() {
	events, overflow, broken := w.src.take()
	relevant := overflow
	for path, op := range events {
		h := happened(path, op)
		about := false
		for _, t := range w.trees {
			about = t.hint(path, h) || about
			if t.decides(path) {
				w.unsettled, about = true, true
			}
		}
		if about && h == createdDir {
			for _, t := range w.trees {
				t.ahead(path)
			}
		}
		relevant = relevant || about
	}
	if overflow {
		w.unsettled = true
		for _, t := range w.trees {
			t.markAll()
		}
	}
	if broken != nil && w.broken == nil {
		w.broken = broken
	}
	w.fallBack()
	if relevant {
		w.quiet.touch()
	}
}

// happened is what events say, checked against what is there.
func happened(path string, op fsnotify.Op) happening {
	if op.Has(fsnotify.Create) {
		switch info, err := os.Lstat(path); {
		case err != nil:
			return removed
		case info.IsDir():
			return createdDir
		}
		return created
	}
	if op.Has(fsnotify.Remove) || op.Has(fsnotify.Rename) {
		return removed
	}
	return written
}

// burstOver looks at what has been touched. It reports whether the burst is over, with what came of it in pending.
func (w *Watcher) burstOver() bool {
	polling := w.src == nil
	var changed changeSet
	if polling {
		changed = w.lookAtAll()
	} else {
		changed = w.look()
	}
	more := !changed.empty()
	w.held.merge(changed)
	if polling && more && !w.quiet.late() {
		// No event would tell that the burst goes on: only another look does.
		w.quiet.touch()
		return false
	}
	w.quiet.settled()
	w.pending.merge(w.held)
	w.held = changeSet{}
	return true
}

// verify is a look without an event: at everything when polling, else at where the trees are and what could not be
// read last time.
func (w *Watcher) verify() {
	if w.src == nil {
		if changed := w.lookAtAll(); !changed.empty() {
			w.held.merge(changed)
			w.quiet.touch()
		}
		return
	}
	if w.quiet.active() {
		return // there will be a look anyway; prolonging the burst would put it off
	}
	for _, t := range w.trees {
		if t.moved() {
			w.unsettled = true
			w.quiet.touch()
		}
		if len(t.dirty) > 0 {
			w.quiet.touch()
		}
	}
}

// lookAtAll compares everything.
func (w *Watcher) lookAtAll() changeSet {
	start := time.Now()
	w.unsettled = true
	for _, t := range w.trees {
		t.markAll()
	}
	changed := w.look()
	w.took = time.Since(start)
	return changed
}

// look compares what may have changed.
func (w *Watcher) look() changeSet {
	var changed changeSet
	// A watch that had to be added may have come too late for an event, and a directory may go while it is being read:
	// then what is concerned is read once more. Some watches can never be had (a directory mounted twice has but one), and some
	// trees never rest: hence the bound.
	const rounds = 3
	for range rounds {
		lost := false
		for _, t := range w.trees {
			if w.unsettled {
				t.settle(&changed)
			}
			lost = t.refresh(&changed) || lost
		}
		w.unsettled = lost
		w.fallBack()
		late := w.src != nil && w.reconcile()
		if !lost && !late {
			break
		}
	}
	w.fallBack()
	return changed
}
