package threading

import "testing"

func TestCheckHandle(t *testing.T) {
	for handle, ok := range map[string]bool{
		"tess": true, "sam-2": true, "ingrid": true, "modern": true,
		"postmaster": false, "p0stmaster": false, "rep0rt": false, "supp0rt": false, "adrnin": false, "adm1n": false, "n0-rep1y": false, "inf0": false, "5ecurity": false, "vvvvvv": false,
		"t-x": false, "": false,
	} {
		if err := CheckHandle(handle); (err == nil) != ok {
			t.Errorf("%q: %v", handle, err)
		}
	}
}
