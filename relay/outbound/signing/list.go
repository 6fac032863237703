package signing

import (
	"crypto"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// list is what the JSON file holds. Names of selectors and files follow from
// the numbers, so that the configuration stays the one place that says them.
type list struct {
	Pairs []entry `json:"pairs"`
}

type entry struct {
	Number int       `json:"number"` // 1 for the first
	State  State     `json:"state"`
	Since  time.Time `json:"since"`
}

func (e entry) pair(keys []Key) Pair {
	return Pair{Keys: keys, State: e.State, Since: e.Since, number: e.Number}
}

// maxList bounds the file. A year of daily rotations is far below.
const maxList = 1 << 20

// readList reads the list; where there is none, the first pair signs.
func readList(path string) (list, error) {
	st, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return list{Pairs: []entry{{Number: 1, State: Signing}}}, nil
	}
	var b []byte
	if err == nil && st.Size() <= maxList {
		b, err = os.ReadFile(path)
	}
	if err != nil {
		return list{}, fmt.Errorf("read the list of DKIM keys: %w", err)
	}
	var l list
	err = json.Unmarshal(b, &l)
	if err == nil {
		err = l.check()
	}
	if err != nil {
		return list{}, fmt.Errorf("the list of DKIM keys %s can't be used: %w: put it back from a backup, or move it away to sign with the first keys again", path, err)
	}
	return l, nil
}

// check: one pair signs, at most one is next, and each is there once.
func (l list) check() error {
	count, known := map[State]int{}, map[int]bool{}
	for _, e := range l.Pairs {
		if e.Number < 1 || known[e.Number] {
			return fmt.Errorf("number %d is not right", e.Number)
		}
		known[e.Number] = true
		count[e.State]++
	}
	if count[Signing] != 1 || count[Next] > 1 || count[Signing]+count[Next]+count[Retired] != len(l.Pairs) {
		return errors.New("one pair must sign, and one at most may be next")
	}
	return nil
}

func (l list) write(path string) error {
	b, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return err
	}
	return writeWhole(path, append(b, '\n'), os.Rename)
}

// lock takes the list for one process. The system takes the lock back when
// the process ends, however it ends.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the list of DKIM keys: %w", err)
	}
	for deadline := time.Now().Add(lockTimeout); ; time.Sleep(20 * time.Millisecond) {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = f.Close() }, nil
		}
		if !errors.Is(err, syscall.EINTR) && !errors.Is(err, syscall.EWOULDBLOCK) || time.Now().After(deadline) {
			_ = f.Close()
			return nil, fmt.Errorf("lock the list of DKIM keys: %w", err)
		}
	}
}

// lockTimeout is plenty: whoever holds the lock makes a key at most.
const lockTimeout = 30 * time.Second

// edSuffix tells the Ed25519 key of a pair from the RSA key, which came first.
const edSuffix = "-ed"

// selector of a pair's key: "stagedoor" and "stagedoor-ed" for the first pair,
// "stagedoor-2" and "stagedoor-2-ed" for the second.
func (r *Ring) selector(number int, suffix string) string {
	return r.o.Selector + numbered(number) + suffix
}

// keyFile is where a key is, named like its selector.
func (r *Ring) keyFile(number int, suffix string) string {
	ext := filepath.Ext(r.o.KeyFile)
	return strings.TrimSuffix(r.o.KeyFile, ext) + numbered(number) + suffix + ext
}

func (r *Ring) listFile() string {
	return strings.TrimSuffix(r.o.KeyFile, filepath.Ext(r.o.KeyFile)) + ".json"
}

func numbered(n int) string {
	if n == 1 {
		return ""
	}
	return "-" + strconv.Itoa(n)
}

// keys reads a pair's keys.
func (r *Ring) keys(number int) ([]Key, error) {
	return r.readKeys(number, func(path string, _ func() (crypto.Signer, error)) (crypto.Signer, error) {
		key, err := loadKey(path)
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w: it is on the list %s: put it back from a backup, or move that list away too and first keys are made anew, whose records stagedoor dns records prints", err, r.listFile())
		}
		return key, err
	})
}

// makeKeys makes a pair's keys, as far as they are not there.
func (r *Ring) makeKeys(number int) error {
	_, err := r.readKeys(number, loadOrMake)
	return err
}

func (r *Ring) readKeys(number int, read func(path string, generate func() (crypto.Signer, error)) (crypto.Signer, error)) ([]Key, error) {
	first, err := read(r.keyFile(number, ""), makeRSA)
	if err != nil {
		return nil, err
	}
	keys := []Key{{r.selector(number, ""), first}}
	if _, alone := first.(ed25519.PrivateKey); alone {
		return keys, nil
	}
	second, err := read(r.keyFile(number, edSuffix), makeEd25519)
	if err != nil {
		return nil, err
	}
	return append(keys, Key{r.selector(number, edSuffix), second}), nil
}
