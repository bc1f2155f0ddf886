package party

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"
)

const (
	fileMode = 0o600
	dirMode  = 0o700
)

// A files is where a party keeps its secrets. There is the disk, and in tests a
// disk that fails.
type files interface {
	// Write creates or replaces a file, all or nothing, also across a crash.
	Write(name string, data []byte) error
	// Add creates a file that may be lost in a crash of the machine, or come out of
	// it cut short, but not in one of the process. It is for what is checked when
	// it is read, and can be made again.
	Add(name string, data []byte) error
	// Read returns a file, which has at most limit bytes.
	Read(name string, limit int64) ([]byte, error)
	// Size returns the length of a file.
	Size(name string) (int64, error)
	// Remove deletes files of one directory. Once it returns they stay deleted,
	// also across a crash. A missing file counts as deleted.
	Remove(dir string, names ...string) error
	// List returns the names of the files in a directory, none if there is no
	// such directory. It deletes what an interrupted Write or Add has left.
	List(dir string) ([]string, error)
}

// A disk is the operating system's file system.
type disk struct{}

func (disk) Write(name string, data []byte) error {
	dir := filepath.Dir(name)
	if err := os.MkdirAll(dir, dirMode); err != nil {
		return err
	}
	// The directory is the place for temporary files too: renames do not cross
	// file systems, and the material must not touch a public directory.
	if err := renameio.WriteFile(name, data, fileMode, renameio.WithTempDir(dir)); err != nil {
		return err
	}
	return syncDir(dir)
}

func (disk) Add(name string, data []byte) error {
	dir, base := filepath.Split(name)
	temporary := filepath.Join(dir, "."+base)
	err := os.WriteFile(temporary, data, fileMode)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(dir, dirMode); err == nil {
			err = os.WriteFile(temporary, data, fileMode)
		}
	}
	if err == nil {
		err = os.Rename(temporary, name)
	}
	if err != nil {
		os.Remove(temporary) // what it says next to err does not matter
	}
	return err
}

func (disk) Read(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("%s: %d bytes, at most %d", filepath.Base(name), info.Size(), limit)
	}
	b := make([]byte, info.Size())
	_, err = io.ReadFull(f, b)
	return b, err
}

func (disk) Size(name string) (int64, error) {
	info, err := os.Stat(name)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (disk) Remove(dir string, names ...string) error {
	for _, name := range names {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return syncDir(dir)
}

func (disk) List(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") { // a temporary file
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				return nil, err
			}
			continue
		}
		names = append(names, e.Name())
	}
	return names, nil
}

// syncDir makes creations, renames and deletions in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
