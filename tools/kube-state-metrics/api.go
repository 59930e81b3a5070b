package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
)

// account is the folder in which the kubelet mounts the credentials of the pod's ServiceAccount.
const account = "/var/run/secrets/kubernetes.io/serviceaccount"

// errNotFound means that the API server does not serve this resource, for example because its CRD does not exist.
var errNotFound = errors.New("not found")

type apiServer struct {
	url           string
	namespace     string
	client        *http.Client
	authenticated bool
}

// newAPIServer uses the credentials of the pod's ServiceAccount, or none with the URL of an API server.
func newAPIServer(url, namespace string) (*apiServer, error) {
	if url != "" {
		return &apiServer{url: url, namespace: namespace, client: http.DefaultClient}, nil
	}
	ca, err := os.ReadFile(account + "/ca.crt")
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		return nil, fmt.Errorf("%s/ca.crt contains no certificate", account)
	}
	host, port := os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT")
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: pool},
		ForceAttemptHTTP2: true,
	}}
	url = "https://" + net.JoinHostPort(host, port)
	return &apiServer{url: url, namespace: namespace, client: client, authenticated: true}, nil
}

// list decodes all objects of a resource. `group` is a path such as apis/apps/v1.
func (s *apiServer) list(ctx context.Context, group, resource string, namespaced bool, result any) error {
	path := group + "/" + resource
	if namespaced && s.namespace != "" {
		path = group + "/namespaces/" + s.namespace + "/" + resource
	}
	return s.get(ctx, path, result)
}

func (s *apiServer) get(ctx context.Context, path string, result any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/"+path, nil)
	if err != nil {
		return err
	}
	if s.authenticated {
		// The kubelet replaces the token before it expires.
		token, err := os.ReadFile(account + "/token")
		if err != nil {
			return err
		}
		request.Header.Set("Authorization", "Bearer "+string(token))
	}
	response, err := s.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	switch {
	case err != nil:
		return err
	case response.StatusCode == http.StatusNotFound:
		return errNotFound
	case response.StatusCode != http.StatusOK:
		return fmt.Errorf("%s: %s: %s", path, response.Status, content)
	}
	return json.Unmarshal(content, result)
}
