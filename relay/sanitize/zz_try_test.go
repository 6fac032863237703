package sanitize

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func TestTry(t *testing.T) {
	files, _ := filepath.Glob("/tmp/atttry/in/*")
	for _, f := range files {
		b, _ := os.ReadFile(f)
		for _, ty := range []Typed{TypedAllow, TypedRefuse} {
			out, a := through(t, bytes.Clone(b), ty)
			fmt.Printf("%-24s %d -> %d shown=%v hidden=%v sealed=%v raw=%v\n", filepath.Base(f), len(b), len(out), a.shown, a.hidden, a.sealed, bytes.Contains(out, []byte("realmail")))
			if ty == TypedAllow {
				os.WriteFile("/tmp/atttry/out/"+filepath.Base(f), out, 0o644)
			}
		}
	}
}
