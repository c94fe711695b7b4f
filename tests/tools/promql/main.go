// Reads PromQL with Prometheus' own parser: checks a file of rules, and tells which series each expression names.
//
// Standard input: {"rules": "path of a file of rules", "expressions": ["…"]}. Standard output: a list of
// {"expression": "…", "series": [{"name": "…", "matchers": [["label", "=~", "value"]]}], "labels": ["…"]}, first of the
// rules' expressions, then of those given; "labels" are those that results are grouped or joined by.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

type request struct {
	Rules       string
	Expressions []string
}

type series struct {
	Name     string     `json:"name"`
	Matchers [][]string `json:"matchers"`
}

type reading struct {
	Expression string   `json:"expression"`
	Series     []series `json:"series"`
	Labels     []string `json:"labels"`
}

func main() {
	var asked request
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		fail(err)
	}
	groups, errs := rulefmt.ParseFile(asked.Rules, false)
	if len(errs) > 0 {
		fail(errs...)
	}
	readings := []reading{}
	for _, group := range groups.Groups {
		for _, rule := range group.Rules {
			readings = append(readings, read(rule.Expr))
		}
	}
	for _, expression := range asked.Expressions {
		readings = append(readings, read(expression))
	}
	if err := json.NewEncoder(os.Stdout).Encode(readings); err != nil {
		fail(err)
	}
}

func read(expression string) reading {
	parsed, err := parser.ParseExpr(expression)
	if err != nil {
		fail(fmt.Errorf("%s: %w", expression, err))
	}
	found := reading{Expression: expression, Series: []series{}, Labels: []string{}}
	parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
		switch node := node.(type) {
		case *parser.VectorSelector:
			one := series{Name: node.Name, Matchers: [][]string{}}
			for _, matcher := range node.LabelMatchers {
				if matcher.Name != "__name__" {
					one.Matchers = append(one.Matchers, []string{matcher.Name, matcher.Type.String(), matcher.Value})
				}
			}
			found.Series = append(found.Series, one)
		case *parser.AggregateExpr:
			found.Labels = append(found.Labels, node.Grouping...)
		case *parser.BinaryExpr:
			if node.VectorMatching != nil {
				found.Labels = append(found.Labels, node.VectorMatching.MatchingLabels...)
				found.Labels = append(found.Labels, node.VectorMatching.Include...)
			}
		}
		return nil
	})
	return found
}

func fail(errs ...error) {
	for _, err := range errs {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(1)
}
