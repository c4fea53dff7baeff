package watch

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// refresh reads what is dirty and everything new below it, and adds what has changed. It reports whether a directory has gone
// from under its hands, so that it has to be found out where it is, or the tree, before anything is said about it.
func (t *tree) refresh(changed *changeSet) (again bool) {
	if t.planted {
		t.planted = false
		changed = &changeSet{} // settle has said already what there is to say
	}
	queue := t.sortedDirty()
	var later []pending
	structure := false
	for len(queue) > 0 || len(later) > 0 {
		if len(queue) == 0 {
			// Symbolic links last, so that a directory is called by its own name if it has one in the tree.
			if n := t.adopt(later[0]); n != nil {
				queue = append(queue, n)
			}
			later = later[1:]
			continue
		}
		n := queue[0]
		queue = queue[1:]
		if t.nodes[n.path] != n {
			continue
		}
		found := t.read(n, changed)
		if found.lost {
			again = true
			t.lost(n)
			continue
		}
		structure = structure || found.structure
		queue = append(queue, found.dirs...)
		later = append(later, found.links...)
	}
	if structure {
		t.sweep(changed)
		t.index()
	}
	return again
}

// lost has a directory that is not where it was read again, and what led to it.
func (t *tree) lost(n *node) {
	t.dirty[n] = struct{}{}
	if above := t.nodes[filepath.Dir(n.path)]; above != nil {
		t.dirty[above] = struct{}{}
	} else if n != t.root {
		t.markAll() // it is behind a symbolic link
	}
}

// pending is a directory that a node's symbolic link leads to.
type pending struct {
	from *node
	name string
	to   entry
}

// findings is what reading a directory came to besides changes.
type findings struct {
	dirs      []*node // to be read next
	links     []pending
	structure bool // directories or links have come or gone
	lost      bool // the directory is not where it was, and nothing has been read
}

// read compares a directory with what it was.
func (t *tree) read(n *node, changed *changeSet) (found findings) {
	t.watch(n.path)
	n.loose = t.fileSystem(n.path) == looseInodes
	list, err := os.ReadDir(n.path)
	if missing(err) {
		return findings{lost: true}
	}
	if err != nil {
		// It may be there all the same: no descriptors left, no permission. What is known of it is kept, and it is tried again.
		t.tell(n.path, err)
		t.dirty[n] = struct{}{}
		return found
	}
	delete(t.told, n.path)

	before, viaBefore := n.entries, n.via
	n.entries, n.via = make(map[string]entry, len(list)), nil
	vanished := false
	for _, d := range list {
		vanished = !t.readEntry(n, d, before, viaBefore) || vanished
	}
	if vanished {
		// Either the file has gone, or the directory with all its files.
		if info, err := os.Lstat(n.path); err != nil || !info.IsDir() || idOf(info) != n.id && !n.loose {
			n.entries, n.via = before, viaBefore
			return findings{lost: true}
		}
	}
	for name, e := range n.entries {
		old, known := before[name]
		if known && old == e && e.kind != directory {
			continue
		}
		if e.isFile() || known && old.isFile() {
			changed.add(t.spec, filepath.Join(n.name, name))
		}
		switch e.kind {
		case directory:
			if child := t.child(n, name, e); child != nil {
				found.dirs = append(found.dirs, child)
			}
			found.structure = found.structure || !known || old.kind != directory
		case dirLink:
			found.links = append(found.links, pending{n, name, e})
			found.structure = true
		case fileLink, deadLink:
			found.structure = true
		case regular:
			found.structure = found.structure || known && old.kind != regular
		}
	}
	for name, old := range before {
		if _, ok := n.entries[name]; ok {
			continue
		}
		if old.isFile() {
			changed.add(t.spec, filepath.Join(n.name, name))
		}
		found.structure = found.structure || old.kind != regular
	}
	// The order of a map is no order; names decide.
	slices.SortFunc(found.dirs, func(a, b *node) int { return compare(a.path, b.path) })
	slices.SortFunc(found.links, func(a, b pending) int { return compare(a.name, b.name) })
	return found
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// readEntry takes one name into n.entries if the tree is about it. It reports false if it was not there any more.
func (t *tree) readEntry(n *node, d os.DirEntry, before map[string]entry, viaBefore map[string][]lookup) bool {
	name := d.Name()
	isLink := d.Type()&os.ModeSymlink != 0
	switch {
	case t.ignores(n, name, d.IsDir()):
		return true
	case d.IsDir() && !t.enters(n, name):
		return true
	case !d.IsDir() && !isLink && !t.counts(n, name):
		return true
	}
	e, via, ok, err := n.look(d)
	switch {
	case missing(err):
		return false
	case err != nil:
		old, known := before[name]
		if !known {
			return true
		}
		e, via = old, viaBefore[name]
	case !ok:
		return true
	}
	if isLink {
		if e.kind == dirLink && (t.ignores(n, name, true) || !t.enters(n, name)) || e.kind != dirLink && !t.counts(n, name) {
			return true
		}
		if n.via == nil {
			n.via = map[string][]lookup{}
		}
		n.via[name] = via
	}
	n.entries[name] = e
	return true
}

// child is the node of a directory in n if it has to be read: a new one, or one that has been replaced.
func (t *tree) child(n *node, name string, e entry) *node {
	path := filepath.Join(n.path, name)
	c := t.nodes[path]
	switch {
	case c == nil:
		return t.grow(path, filepath.Join(n.name, name), filepath.Join(n.rel, name), e.id)
	case c.id != e.id:
		c.id = e.id
		return c // its own children are found to be others likewise
	}
	return nil
}

// adopt is the node behind a symbolic link if it has to be read.
func (t *tree) adopt(p pending) *node {
	real := p.to.real
	switch c := t.nodes[real]; {
	case c == nil:
	case c.id != p.to.id:
		c.id = p.to.id
		return c
	default:
		return nil // known by another name: a loop, or a second way to it
	}
	if inside(t.root.path, real) {
		return nil // it holds the tree
	}
	if inside(real, t.root.path) && t.outline(real) == nil {
		return nil // ignored by its own name
	}
	return t.grow(real, filepath.Join(p.from.name, p.name), filepath.Join(p.from.rel, p.name), p.to.id)
}

// grow makes a node; nil if the tree is full.
func (t *tree) grow(path, name, rel string, id fileID) *node {
	if len(t.nodes) >= t.limit {
		if !t.full {
			t.full = true
			t.log.Error(fmt.Sprintf("watch: %s has more than %d directories: the rest is not watched; ignore what is no code", t.spec, t.limit))
		}
		return nil
	}
	n := t.sketch(path, name, rel)
	n.id = id
	t.nodes[path] = n
	return n
}

// sweep drops the directories that nothing leads to any more; their files are changes.
func (t *tree) sweep(changed *changeSet) {
	reached := map[*node]struct{}{t.root: {}}
	for queue := []*node{t.root}; len(queue) > 0; queue = queue[1:] {
		n := queue[0]
		for name, e := range n.entries {
			var next *node
			switch e.kind {
			case directory:
				next = t.nodes[filepath.Join(n.path, name)]
			case dirLink:
				next = t.nodes[e.real]
			case regular, fileLink, deadLink:
			}
			if next == nil {
				continue
			}
			if _, ok := reached[next]; !ok {
				reached[next] = struct{}{}
				queue = append(queue, next)
			}
		}
	}
	for path, n := range t.nodes {
		if _, ok := reached[n]; ok {
			continue
		}
		for name, e := range n.entries {
			if e.isFile() {
				changed.add(t.spec, filepath.Join(n.name, name))
			}
		}
		delete(t.nodes, path)
		delete(t.dirty, n)
		delete(t.told, path)
	}
	t.full = t.full && len(t.nodes) >= t.limit
}

// index notes which directories depend on which lookups.
func (t *tree) index() {
	clear(t.lookups)
	for _, n := range t.nodes {
		for _, via := range n.via {
			for _, l := range via {
				if l.dir != n.path { // events of its own directory reach it anyway
					t.lookups[l] = append(t.lookups[l], n)
				}
			}
		}
	}
}
