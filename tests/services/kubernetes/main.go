// Renders what a cluster would get, with the code of kustomize and of Helm themselves:
//
//	kubernetes kustomize DIR
//	kubernetes helm CHART [VALUES.json]
//	kubernetes check
//
// The first two print YAML documents; Helm checks the values against the chart's schema before. The
// third decodes documents of its standard input as the API server does with strict validation of
// fields: no unknown or doubled field, every value of its type.
//
// The versions are the last that Go 1.19 builds, which is what Debian 12 has.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"sort"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	serializer "k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "kubernetes:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 1 && args[0] == "check" {
		return check(os.Stdin)
	}
	text, err := render(args)
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(text)
	return err
}

func render(args []string) ([]byte, error) {
	switch {
	case len(args) == 2 && args[0] == "kustomize":
		return kustomize(args[1])
	case len(args) == 2 && args[0] == "helm":
		return helm(args[1], nil)
	case len(args) == 3 && args[0] == "helm":
		values := map[string]interface{}{}
		text, err := os.ReadFile(args[2])
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(text, &values); err != nil {
			return nil, err
		}
		return helm(args[1], values)
	}
	return nil, errors.New("usage: kubernetes kustomize DIR | helm CHART [VALUES.json] | check")
}

func kustomize(dir string) ([]byte, error) {
	rendered, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		return nil, err
	}
	return rendered.AsYaml()
}

func helm(dir string, values map[string]interface{}) ([]byte, error) {
	chart, err := loader.Load(dir)
	if err != nil {
		return nil, err
	}
	if err := chart.Validate(); err != nil {
		return nil, err
	}
	release := chartutil.ReleaseOptions{Name: "connbeat", Namespace: "connbeat", IsInstall: true}
	all, err := chartutil.ToRenderValues(chart, values, release, chartutil.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	rendered, err := engine.Engine{Strict: true}.Render(chart, all)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(rendered))
	for name := range rendered {
		if path.Ext(name) == ".yaml" {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	var text bytes.Buffer
	for _, name := range names {
		fmt.Fprintf(&text, "---\n# Source: %s\n%s\n", name, rendered[name])
	}
	return text.Bytes(), nil
}

func check(input io.Reader) error {
	options := serializer.SerializerOptions{Yaml: true, Strict: true}
	decoder := serializer.NewSerializerWithOptions(
		serializer.DefaultMetaFactory, scheme.Scheme, scheme.Scheme, options)
	documents := yaml.NewYAMLReader(bufio.NewReader(input))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if len(bytes.TrimSpace(document)) == 0 {
			continue
		}
		if _, _, err := decoder.Decode(document, nil, nil); err != nil {
			return fmt.Errorf("%w in:\n%s", err, document)
		}
	}
}
