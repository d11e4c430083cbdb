package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
)

// controlPlane lists the four programs that an embedded cluster runs, each as a process of its own: the API server's
// and the scheduler's commands both install signal handlers, which panics when done twice in one process.
func controlPlane() []component {
	return []component{
		{"etcd", func() int { etcdmain.Main(os.Args); return 0 }},
		{"kube-apiserver", func() int { return cli.Run(apiserver.NewAPIServerCommand()) }},
		{"kube-controller-manager", func() int { return cli.Run(controllermanager.NewControllerManagerCommand()) }},
		{"kube-scheduler", func() int { return cli.Run(scheduler.NewSchedulerCommand()) }},
	}
}
