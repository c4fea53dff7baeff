package watch

import (
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sys/unix"
)

// recoverable says that an error of fsnotify's reader concerns one watch (which was removed at the same time), not the
// reading of events.
func recoverable(err error) bool {
	return errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT)
}

// exhausted says that a watch was refused for want of resources, so that others would be too.
func exhausted(err error) bool {
	return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.ENOMEM) || errors.Is(err, unix.EMFILE)
}

// missing says that a directory is gone.
func missing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR)
}

// explain is the reason for polling in an operator's words, with what can be done about it.
func explain(err error) string {
	switch {
	case errors.Is(err, unix.ENOSPC):
		return "no inotify watches left for this user; see sysctl fs.inotify.max_user_watches"
	case errors.Is(err, unix.EMFILE):
		return "no inotify instances or descriptors left; see sysctl fs.inotify.max_user_instances and ulimit -n"
	}
	return err.Error()
}

// remoteError says that a directory is where inotify does not tell what other machines do.
type remoteError struct{ dir, kind string }

func (e *remoteError) Error() string {
	return fmt.Sprintf("%s is on %s, where changes from outside cause no events", e.dir, e.kind)
}

// remoteKinds are the file systems whose files change without the kernel here having a part in it: network mounts, and
// what containers and virtual machines get from their host.
var remoteKinds = map[int64]string{
	unix.NFS_SUPER_MAGIC:  "NFS",
	unix.SMB_SUPER_MAGIC:  "SMB",
	unix.SMB2_SUPER_MAGIC: "SMB",
	unix.CIFS_SUPER_MAGIC: "CIFS",
	unix.V9FS_MAGIC:       "9p",
	unix.FUSE_SUPER_MAGIC: "FUSE",
	unix.AFS_SUPER_MAGIC:  "AFS",
	unix.AFS_FS_MAGIC:     "AFS",
	unix.CEPH_SUPER_MAGIC: "Ceph",
	unix.CODA_SUPER_MAGIC: "Coda",
	unix.NCP_SUPER_MAGIC:  "NCP",
	0x786f4256:            "a VirtualBox shared folder",
	0xbacbacbc:            "a VMware shared folder",
	0x7c7c6673:            "a Parallels shared folder",
}

// looseInodes is the file system whose inode numbers may change while a file stays the same: a FUSE server may forget them.
const looseInodes = unix.FUSE_SUPER_MAGIC

// fileSystem is the magic number of the file system that holds the directory, or zero.
func fileSystem(dir string) int64 {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0
	}
	return int64(uint32(st.Type)) // some numbers are negative as the signed 32 bits of older kernels
}
