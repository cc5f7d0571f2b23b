// SPDX-License-Identifier: Apache-2.0
// Holds a Grafana dashboard to Grafana's own schema, those of its panels included: unknown fields, missing ones, wrong types.
//
//	dashboard_schema FILE.json
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

func check(path string) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	plugins.RegisterDefaultPlugins()
	var board dashboard.Dashboard
	// Where nothing is wrong, it returns a list of errors that is empty rather than nil.
	var wrong cog.BuildErrors
	if err := board.UnmarshalJSONStrict(raw); err != nil && !(errors.As(err, &wrong) && len(wrong) == 0) {
		return err
	}
	return board.Validate()
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: dashboard_schema FILE.json")
		os.Exit(2)
	}
	if err := check(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
