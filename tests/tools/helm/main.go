// Reads the objects of Kubernetes that a chart was rendered to, as the API server does that is told to be strict: each must
// be of a kind that there is, with no field that the kind does not have and no field twice. What pods may do is compared
// with Kubernetes' own "restricted" level of pod security.
//
// Standard input: YAML documents. Standard output: a JSON list of the objects as they were understood. What is wrong goes to
// standard error, one line per mistake, and the program ends with 1.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

func main() {
	objects, err := read(os.Stdin)
	if err == nil {
		err = check(objects)
	}
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(objects)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func read(input io.Reader) ([]runtime.Object, error) {
	if err := monitoring.AddToScheme(scheme.Scheme); err != nil {
		return nil, err
	}
	decoder := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()
	documents := yaml.NewYAMLReader(bufio.NewReader(input))
	objects, mistakes := []runtime.Object{}, []error{}
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return objects, errors.Join(mistakes...)
		}
		if err != nil {
			return nil, err
		}
		object, kind, err := decoder.Decode(document, nil, nil)
		switch {
		case err != nil && kind != nil:
			mistakes = append(mistakes, fmt.Errorf("%s: %w", kind.Kind, err))
		case err != nil:
			mistakes = append(mistakes, err)
		default:
			objects = append(objects, object)
		}
	}
}

func check(objects []runtime.Object) error {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		return err
	}
	restricted := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	mistakes := []error{}
	for _, object := range objects {
		var template core.PodTemplateSpec
		switch maker := object.(type) {
		case *apps.StatefulSet:
			template = maker.Spec.Template
		case *apps.Deployment:
			template = maker.Spec.Template
		default:
			continue
		}
		for _, result := range evaluator.EvaluatePod(restricted, &template.ObjectMeta, &template.Spec) {
			if !result.Allowed {
				mistakes = append(mistakes, fmt.Errorf("%s: %s", result.ForbiddenReason, result.ForbiddenDetail))
			}
		}
	}
	return errors.Join(mistakes...)
}
