package store

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"
)

// A database remembers how many migrations it has had: one that is put between
// others later would never run.
func TestMigrationsAreNumberedWithoutGaps(t *testing.T) {
	files, err := fs.ReadDir(migrations, "migrations")
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range files {
		if want := fmt.Sprintf("%04d_", i+1); !strings.HasPrefix(f.Name(), want) {
			t.Errorf("migration %s should begin with %s", f.Name(), want)
		}
	}
}
