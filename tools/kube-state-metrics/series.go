package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// series is the text of an answer to a scrape.
type series struct{ strings.Builder }

// labels are pairs of a name and a value.
type labels []string

var escape = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// add appends one sample.
func (s *series) add(name string, value float64, pairs ...string) {
	s.WriteString(name)
	for index := 0; index < len(pairs); index += 2 {
		separator := ","
		if index == 0 {
			separator = "{"
		}
		fmt.Fprintf(s, `%s%s="%s"`, separator, pairs[index], escape.Replace(pairs[index+1]))
	}
	if len(pairs) > 0 {
		s.WriteString("}")
	}
	s.WriteString(" " + strconv.FormatFloat(value, 'g', -1, 64) + "\n")
}

// addEach appends one sample for each value of the label: 1 for the current one, 0 for all others.
func (s *series) addEach(name, label, current string, values []string, pairs ...string) {
	for _, value := range values {
		s.add(name, number(value == current), append(append(labels{}, pairs...), label, value)...)
	}
}

func (s *series) addTime(name string, value time.Time, pairs ...string) {
	if !value.IsZero() {
		s.add(name, float64(value.Unix()), pairs...)
	}
}

func number(condition bool) float64 {
	if condition {
		return 1
	}
	return 0
}

func pointer(value *int32, fallback int32) float64 {
	if value == nil {
		return float64(fallback)
	}
	return float64(*value)
}
