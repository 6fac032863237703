package seal

import (
	"encoding/base64"
	"regexp"
	"strings"
	"testing"
)

func TestAppPassword(t *testing.T) {
	password, verifier := NewAppPassword([]byte("salt of sixteen!"))
	if !regexp.MustCompile(`^[a-z2-7]{4}(-[a-z2-7]{4}){3}$`).MatchString(password) {
		t.Errorf("password %q", password)
	}
	if !Verify(verifier, password) || Verify(verifier, password+"x") || Verify(verifier, strings.ReplaceAll(password, "-", "")) {
		t.Error("the verifier does not fit")
	}
	for _, typed := range []string{password, strings.ToUpper(password), strings.ReplaceAll(password, "-", ""), strings.ReplaceAll(password, "-", " ")} {
		if got, ok := AppPassword(typed); !ok || got != password {
			t.Errorf("%q is read as %q", typed, got)
		}
	}
	for _, other := range []string{"", "break-a-leg", "abcd-efgh-ijkl", "abcd-efgh-ijkl-mno1", "äbcd-efgh-ijkl-mnop"} {
		if _, ok := AppPassword(other); ok {
			t.Errorf("%q is taken for an app password", other)
		}
	}
	if again, _ := NewAppPassword([]byte("salt of sixteen!")); again == password {
		t.Error("two app passwords are the same")
	}
	for _, broken := range []string{scramPrefix, scramPrefix + "0:AA==$AA==:AA==", scramPrefix + "99999999:AA==$AA==:AA==", verifier[:len(verifier)/2], strings.Replace(verifier, "$", "", 1)} {
		if Verify(broken, password) {
			t.Errorf("%q fits", broken)
		}
	}
}

// The example of RFC 7677 section 3: its proof was made with these keys.
func TestScramKeys(t *testing.T) {
	salt, err := base64.StdEncoding.DecodeString("W22ZaJ0SNY7soEsUEjb6gQ==")
	if err != nil {
		t.Fatal(err)
	}
	stored, server := scramKeys("pencil", salt, 4096)
	if got := base64.StdEncoding.EncodeToString(stored); got != "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=" {
		t.Errorf("StoredKey %s", got)
	}
	if got := base64.StdEncoding.EncodeToString(server); got != "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=" {
		t.Errorf("ServerKey %s", got)
	}
}
