package watch

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// maxDirectories bounds a tree, in case a symbolic link leads into the wide world.
const maxDirectories = 1 << 16

// tree is one entry of Config.Trees: its directories as they were when they were last read, and what has to be read again.
// It finds changes by comparing; events only tell it where to look. It belongs to the watcher's goroutine.
type tree struct {
	spec string     // as configured
	self string     // its absolute path; of a glob, the directory it starts at
	base string     // self, or the directory of the file if self is one
	only [][]string // patterns of the files that count, below base; nil: all
	file string     // self until it is known whether that is a file or a directory, then ""
	drop *ignoring

	watch      func(dir string) // asked to watch a directory before it is read
	fileSystem func(dir string) int64
	log        Logger            // never nil
	told       map[string]string // complaints that have been logged, by directory

	root    *node // nil while there is none
	via     []lookup
	seen    bool // settle has been called
	planted bool // all files are new to us, and no changes
	nodes   map[string]*node
	dirty   map[*node]struct{} // to be read again
	lookups map[lookup][]*node // of symbolic links in the tree
	limit   int                // of directories
	full    bool               // the limit has been complained about
}

// newTree reads one entry of Config.Trees. It touches no file but to see whether spec is the name of one.
func newTree(spec string, drop *ignoring) (*tree, error) {
	if spec == "" {
		return nil, errors.New("empty tree")
	}
	abs, err := filepath.Abs(spec)
	if err != nil {
		return nil, fmt.Errorf("tree %q: %w", spec, err)
	}
	t := &tree{spec: spec, self: abs, base: abs, file: abs, drop: drop, told: map[string]string{}, limit: maxDirectories}
	t.forget()
	if _, err := os.Lstat(abs); err == nil || !hasMeta(abs) {
		return t, nil
	}
	// A glob: what is before the first segment with a wildcard is the directory, the rest is for its files.
	parts := split(abs)
	first := slices.IndexFunc(parts, hasMeta)
	t.file = ""
	t.self = "/" + strings.Join(parts[:first], "/")
	t.base = t.self
	patterns, err := compile("./" + strings.Join(parts[first:], "/"))
	if err != nil {
		return nil, fmt.Errorf("tree %q: %w", spec, err)
	}
	for _, p := range patterns {
		t.only = append(t.only, p.segments)
	}
	return t, nil
}

// forget drops everything that is known of the tree's files.
func (t *tree) forget() {
	t.root = nil
	t.nodes, t.dirty = map[string]*node{}, map[*node]struct{}{}
	t.lookups = map[lookup][]*node{}
}

// locate finds where the tree is now.
func (t *tree) locate() (real string, via []lookup, id fileID, err error) {
	if t.file != "" {
		real, via, err := resolve(t.file)
		if err != nil {
			return "", via, fileID{}, err
		}
		info, err := os.Lstat(real)
		if err != nil {
			return "", via, fileID{}, err
		}
		if !info.IsDir() {
			t.base, t.only = filepath.Dir(t.file), [][]string{{filepath.Base(t.file)}}
		}
		t.file = ""
	}
	real, via, err = resolve(t.base)
	if err != nil {
		return "", via, fileID{}, err
	}
	info, err := os.Lstat(real)
	if err == nil && !info.IsDir() {
		err = &os.PathError{Op: "watch", Path: t.base, Err: errNotDirectory}
	}
	if err != nil {
		return "", via, fileID{}, err
	}
	return real, via, idOf(info), nil
}

var errNotDirectory = errors.New("not a directory")

// moved says whether the tree leads elsewhere than it did. It changes nothing.
func (t *tree) moved() bool {
	here := *t
	real, _, id, err := here.locate()
	if err != nil || t.root == nil {
		return (err == nil) != (t.root != nil)
	}
	return real != t.root.path || id != t.root.id
}

// settle finds out where the tree leads to. If that is somewhere else than before, everything is read again, and the tree itself
// is what has changed: it makes no sense to compare one release with another file by file.
func (t *tree) settle(changed *changeSet) {
	first := !t.seen
	t.seen = true
	real, via, id, err := t.locate()
	t.via = via
	switch {
	case err != nil && (t.root != nil || first):
		reason := err
		if p := (*fs.PathError)(nil); errors.As(err, &p) {
			reason = p.Err
		}
		what := "has vanished"
		if first {
			what = "is not there"
		}
		t.log.Warn(fmt.Sprintf("watch: %s %s (%v): waiting for it", t.spec, what, reason))
		t.forget()
	case err != nil: // still missing
	case t.root == nil:
		if !first {
			t.log.Info(fmt.Sprintf("watch: %s is there again", t.spec))
			changed.add(t.spec, t.self)
		}
		t.plant(real, id)
	case t.root.path != real || t.root.id.dev != id.dev:
		t.log.Info(fmt.Sprintf("watch: %s leads to %s now", t.spec, real))
		changed.add(t.spec, t.self)
		t.forget()
		t.plant(real, id)
	case t.root.id != id:
		// The same name, but not the same directory: compared file by file like any directory that has been replaced.
		t.root.id = id
		t.markDeep(t.root)
	}
}

func (t *tree) plant(real string, id fileID) {
	t.root = &node{path: real, name: t.base, id: id}
	t.nodes[real] = t.root
	t.dirty[t.root] = struct{}{}
	t.planted = true
}

// nearest is the node of a directory, or of the nearest directory above it that is one; nil if the tree has nothing to do with it.
func (t *tree) nearest(dir string) *node {
	for ; ; dir = filepath.Dir(dir) {
		if n := t.nodes[dir]; n != nil {
			return n
		}
		if dir == "/" || dir == "." {
			return nil
		}
	}
}

// markDeep has a directory and all below it read again.
func (t *tree) markDeep(n *node) {
	for path, other := range t.nodes {
		if inside(path, n.path) {
			t.dirty[other] = struct{}{}
		}
	}
}

func (t *tree) markAll() {
	for _, n := range t.nodes {
		t.dirty[n] = struct{}{}
	}
}

// outline is a node for a directory that need not have been read yet, with what patterns look at and nothing else; nil if it is
// not one the tree is about.
func (t *tree) outline(dir string) *node {
	at := t.nearest(dir)
	if at == nil {
		return nil
	}
	for _, name := range split(dir[len(at.path):]) {
		if t.ignores(at, name, true) || !t.enters(at, name) {
			return nil
		}
		at = t.sketch(filepath.Join(at.path, name), filepath.Join(at.name, name), filepath.Join(at.rel, name))
	}
	return at
}

// sketch is a node that has not been read.
func (t *tree) sketch(path, name, rel string) *node {
	n := &node{path: path, name: name, rel: rel}
	if path != t.root.path && inside(path, t.root.path) {
		n.realRel = strings.TrimPrefix(path[len(t.root.path):], "/")
	}
	return n
}

// happening is what an event says of a path.
type happening uint8

const (
	written happening = iota // or its attributes changed, which includes touch(1)
	created
	createdDir
	removed // or renamed away
)

// hint takes note that something may have happened to the path, which has no symbolic link in it but perhaps at its end. It reports
// whether the tree has to be refreshed for it.
func (t *tree) hint(path string, h happening) bool {
	dir, name := parent(path)
	relevant := false
	if self := t.nodes[path]; self != nil && h != written {
		t.markDeep(self)
		relevant = true
	}
	for _, n := range t.lookups[lookup{dir, name}] {
		t.dirty[n] = struct{}{}
		relevant = true
	}
	n := t.nodes[dir]
	if n == nil {
		// Perhaps a new directory that has not been read yet; whoever reads it finds what is in it.
		if t.outline(dir) != nil {
			t.dirty[t.nearest(dir)] = struct{}{}
			relevant = true
		}
		return relevant
	}
	if _, known := n.entries[name]; !known {
		if t.ignores(n, name, h == createdDir) || h == written && !t.counts(n, name) {
			return relevant
		}
	}
	t.dirty[n] = struct{}{}
	return true
}

// ahead watches a directory that has just appeared and those below it without reading what is in them, so that a
// burst of changes that goes on in there is seen to go on.
func (t *tree) ahead(dir string) {
	n := t.outline(dir)
	if n == nil {
		return
	}
	t.watch(dir)
	list, err := os.ReadDir(dir)
	if err != nil {
		return // gone again, or the next reading will tell
	}
	for _, d := range list {
		if d.IsDir() && !t.ignores(n, d.Name(), true) {
			t.ahead(filepath.Join(dir, d.Name()))
		}
	}
}

func parent(path string) (dir, name string) {
	return filepath.Dir(path), filepath.Base(path)
}

// decides says whether the tree's place depends on the path.
func (t *tree) decides(path string) bool {
	dir, name := parent(path)
	for _, l := range t.via {
		if l == (lookup{dir, name}) || l.dir == path {
			return true
		}
	}
	return false
}

// watched adds the directories that the tree needs events of.
func (t *tree) watched(want map[string]struct{}) {
	for path := range t.nodes {
		want[path] = struct{}{}
	}
	for _, l := range t.via {
		want[l.dir] = struct{}{}
	}
	for l := range t.lookups {
		want[l.dir] = struct{}{}
	}
}

func (t *tree) ignores(n *node, name string, isDir bool) bool {
	return t.drop.match(n, name, isDir)
}

// counts says whether a file of that name is one the tree is about.
func (t *tree) counts(n *node, name string) bool {
	if t.only == nil {
		return true
	}
	segments := append(split(n.rel), name)
	return slices.ContainsFunc(t.only, func(p []string) bool { return matchSegments(p, segments) })
}

// enters says whether a directory can hold files the tree is about.
func (t *tree) enters(n *node, name string) bool {
	if t.only == nil {
		return true
	}
	segments := append(split(n.rel), name)
	return slices.ContainsFunc(t.only, func(p []string) bool { return matchBeginning(p, segments) })
}

// tell logs a complaint about a directory once.
func (t *tree) tell(dir string, err error) {
	if text := err.Error(); t.told[dir] != text {
		t.told[dir] = text
		t.log.Warn(fmt.Sprintf("watch: changes in %s are not seen: %v", dir, err))
	}
}

// sortedDirty empties the set of what is to be read, parents before children.
func (t *tree) sortedDirty() []*node {
	nodes := slices.SortedFunc(maps.Keys(t.dirty), func(a, b *node) int { return strings.Compare(a.path, b.path) })
	clear(t.dirty)
	return nodes
}

// late takes note that a directory has come to be watched after it was read.
func (t *tree) late(dir string) {
	if n := t.nodes[dir]; n != nil {
		t.dirty[n] = struct{}{}
	}
	for l, nodes := range t.lookups {
		if l.dir != dir {
			continue
		}
		for _, n := range nodes {
			t.dirty[n] = struct{}{}
		}
	}
}

// leadsThrough says whether finding the tree needed the directory.
func (t *tree) leadsThrough(dir string) bool {
	return slices.ContainsFunc(t.via, func(l lookup) bool { return l.dir == dir })
}
