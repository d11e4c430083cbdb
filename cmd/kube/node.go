//go:build node

package main

import (
	"context"
	"os"

	_ "k8s.io/client-go/plugin/pkg/client/auth"
	"k8s.io/component-base/cli"
	"k8s.io/component-base/logs"
	_ "k8s.io/component-base/logs/json/register"
	kubectl "k8s.io/kubectl/pkg/cmd"
	kubectlutil "k8s.io/kubectl/pkg/cmd/util"
	kubeproxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	kubeadm "k8s.io/kubernetes/cmd/kubeadm/app"
	kubeadmutil "k8s.io/kubernetes/cmd/kubeadm/app/util/errors"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

// nodePrograms lists what a node image holds besides the control plane, each as its upstream main function has it.
func nodePrograms() []component {
	return []component{
		{"kubelet", func() int { return cli.Run(kubelet.NewKubeletCommand(context.Background())) }},
		{"kubeadm", func() int { kubeadmutil.HandleError(kubeadm.Run()); return 0 }},
		{"kubectl", runKubectl},
		{"kube-proxy", func() int { return cli.Run(kubeproxy.NewProxyCommand()) }},
	}
}

func runKubectl() int {
	_, _ = logs.GlogSetter(kubectl.GetLogVerbosity(os.Args)) // as upstream: a bad value fails when flags are parsed
	if err := cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()); err != nil {
		kubectlutil.CheckErr(err)
	}
	return 0
}
