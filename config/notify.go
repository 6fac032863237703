package config

import (
	"regexp"
	"time"
)

var (
	colorPattern = regexp.MustCompile(`^#[0-9A-Fa-f]{6}$`)
	// languagePattern is the shape of a BCP 47 tag, as far as it names a file.
	languagePattern = regexp.MustCompile(`^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$`)
)

const maxGrace = Duration(time.Hour)

// notifications checks [notify] and how the relay shows itself to members.
func (c *checker) notifications() {
	if !colorPattern.MatchString(c.BrandColor) {
		c.problem("brand_color", "%q is not a colour: write six hexadecimal digits, such as \"#7a1f2b\"", c.BrandColor)
	}
	if !languagePattern.MatchString(c.Language) {
		c.problem("language", "%q is not a language: write a tag such as \"en\" or \"de\"", c.Language)
	}
	if c.Notify.MaxAttachment < KB || c.Notify.MaxAttachment > maxMessage {
		c.problem("notify.max_attachment", "%s is outside %s to %s", c.Notify.MaxAttachment, KB, maxMessage)
	}
	if c.Notify.Grace > maxGrace {
		c.problem("notify.grace", "%s is longer than %s", c.Notify.Grace, maxGrace)
	}
}
