package scan

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// maxAnswer bounds what is read of an answer, in octets.
const maxAnswer = 1 << 20

// rspamdActions are what rspamd would have done with a message. What would have
// the sender try again is no verdict on the message.
var rspamdActions = map[string]Verdict{
	"no action": Clean, "greylist": Clean, "soft reject": Clean, "add header": Suspect, "rewrite subject": Suspect, "quarantine": Spam, "reject": Spam, "discard": Spam,
}

// rspamd posts the message to /checkv2 and reads the action from the answer.
func (s *Scanner) rspamd(ctx context.Context, msg io.Reader) (Result, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(s.o.Rspamd, "/")+"/checkv2", io.NopCloser(msg))
	if err != nil {
		return Result{}, err
	}
	req.Header.Set("User-Agent", "stagedoor")
	res, err := s.http.Do(req)
	if err != nil {
		return Result{}, err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	switch {
	case err != nil:
		return Result{}, fmt.Errorf("read the answer: %w", err)
	case len(body) > maxAnswer:
		return Result{}, errors.New("the answer is too long")
	case res.StatusCode != http.StatusOK:
		return Result{}, fmt.Errorf("it answers %d", res.StatusCode)
	}
	var answer struct {
		Action string `json:"action"`
		Error  string `json:"error"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return Result{}, errors.New("the answer is not that of rspamd")
	}
	verdict, known := rspamdActions[answer.Action]
	switch {
	case answer.Error != "":
		return Result{}, errors.New("it could not look at the message")
	case !known:
		return Result{}, fmt.Errorf("the answer has no action that is known (%.40q)", answer.Action)
	}
	return Result{Verdict: verdict}, nil
}
