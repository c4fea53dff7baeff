package watch

import (
	"os"
	"path/filepath"
)

// node is one directory of a tree, as it was when it was last read. It belongs to one tree; directories behind symbolic links
// are nodes like others, and a directory that several names lead to is one node.
type node struct {
	path    string // real, without symbolic links: where it is read and watched
	name    string // through the tree as configured, for people; the same directory
	rel     string // name below the tree's root; "" for the root
	realRel string // path below the tree's real root; "" for the root and for what is outside it
	id      fileID
	loose   bool                // inode numbers are made up there, and do not last
	entries map[string]entry    // what it holds and is not ignored
	via     map[string][]lookup // of the entries that are symbolic links
}

// names are the directory's names as patterns see them.
func (n *node) names(absolute bool) []string {
	switch {
	case absolute && n.path != n.name:
		return []string{n.name, n.path}
	case absolute:
		return []string{n.name}
	case n.realRel != n.rel && n.realRel != "":
		return []string{n.rel, n.realRel}
	}
	return []string{n.rel}
}

type kind uint8

const (
	regular   kind = iota
	directory      // a node of its own
	dirLink        // a symbolic link to a directory, which is a node unless it is outside and above the tree
	fileLink
	deadLink
)

// entry is what a directory says about one name. Two entries are equal exactly when nothing has happened in between
// that counts as a change: permissions, owners and times of access do not.
type entry struct {
	kind  kind
	id    fileID // for links of what they lead to, zero if that is nothing
	size  int64  // of regular files, also behind links
	mtime int64  // likewise, in nanoseconds
	text  string // of links: where they point to
	real  string // of links to directories: where they lead to
}

// isFile says that a change of the entry by itself is a change of the tree. Directories are not: their files are.
func (e entry) isFile() bool { return e.kind != directory }

// look makes the entry of a name that has been found in the directory. It reports false for what is no file, link
// or directory, such as sockets.
func (n *node) look(found os.DirEntry) (e entry, via []lookup, ok bool, err error) {
	info, err := found.Info()
	if err != nil {
		return e, nil, false, err
	}
	switch mode := info.Mode(); {
	case mode.IsRegular():
		e.kind = regular
	case mode.IsDir():
		return entry{kind: directory, id: idOf(info)}, nil, true, nil
	case mode&os.ModeSymlink != 0:
		return n.lookBehind(found.Name())
	default:
		return e, nil, false, nil
	}
	e.id, e.size, e.mtime = n.idOf(info), info.Size(), info.ModTime().UnixNano()
	return e, nil, true, nil
}

// idOf leaves inode numbers that do not last out of comparisons.
func (n *node) idOf(info os.FileInfo) fileID {
	if n.loose {
		return fileID{}
	}
	return idOf(info)
}

// lookBehind makes the entry of a symbolic link.
func (n *node) lookBehind(name string) (e entry, via []lookup, ok bool, err error) {
	link := filepath.Join(n.path, name)
	if e.text, err = os.Readlink(link); err != nil {
		return e, nil, false, err
	}
	real, via, err := resolve(link)
	e.kind = deadLink
	if err != nil {
		return e, via, true, nil
	}
	info, err := os.Lstat(real)
	if err != nil {
		return e, via, true, nil
	}
	switch mode := info.Mode(); {
	case mode.IsDir():
		e.kind, e.real, e.id = dirLink, real, n.idOf(info)
	case mode.IsRegular():
		e.kind = fileLink
		e.id, e.size, e.mtime = n.idOf(info), info.Size(), info.ModTime().UnixNano()
	default:
		return e, nil, false, nil
	}
	return e, via, true, nil
}
