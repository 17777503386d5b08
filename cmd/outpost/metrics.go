package main

import (
	"database/sql"
	"fmt"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metricsHandler is what METRICS_ADDR serves: figures and health.
func metricsHandler(h *health, stats func() sql.DBStats) (http.Handler, error) {
	registry := prometheus.NewRegistry()
	for _, c := range []prometheus.Collector{
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		collectors.NewBuildInfoCollector(),
		poolFigures{stats},
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "outpost_redis_up", Help: "1 while Redis answers, 0 while it is away or none is configured."}, func() float64 {
			if h.redis() == "ok" {
				return 1
			}
			return 0
		}),
	} {
		if err := registry.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintln(w, `{"status":"ok"}`)
	})
	mux.HandleFunc("GET /readyz", h.ready)
	return mux, nil
}

// poolFigures are the connections to the database.
type poolFigures struct{ stats func() sql.DBStats }

// The figures of the pool, by the names that Prometheus' own collector gives them.
var (
	poolMax      = prometheus.NewDesc("go_sql_max_open_connections", "Maximum number of open connections to the database.", nil, nil)
	poolOpen     = prometheus.NewDesc("go_sql_open_connections", "Connections in use and idle.", nil, nil)
	poolInUse    = prometheus.NewDesc("go_sql_in_use_connections", "Connections in use.", nil, nil)
	poolIdle     = prometheus.NewDesc("go_sql_idle_connections", "Idle connections.", nil, nil)
	poolWaits    = prometheus.NewDesc("go_sql_wait_count_total", "Times that a connection had to be waited for.", nil, nil)
	poolWaitTime = prometheus.NewDesc("go_sql_wait_duration_seconds_total", "Time spent waiting for a connection.", nil, nil)
)

// Describe implements prometheus.Collector.
func (p poolFigures) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{poolMax, poolOpen, poolInUse, poolIdle, poolWaits, poolWaitTime} {
		descs <- d
	}
}

// Collect implements prometheus.Collector.
func (p poolFigures) Collect(metrics chan<- prometheus.Metric) {
	s := p.stats()
	metrics <- prometheus.MustNewConstMetric(poolMax, prometheus.GaugeValue, float64(s.MaxOpenConnections))
	metrics <- prometheus.MustNewConstMetric(poolOpen, prometheus.GaugeValue, float64(s.OpenConnections))
	metrics <- prometheus.MustNewConstMetric(poolInUse, prometheus.GaugeValue, float64(s.InUse))
	metrics <- prometheus.MustNewConstMetric(poolIdle, prometheus.GaugeValue, float64(s.Idle))
	metrics <- prometheus.MustNewConstMetric(poolWaits, prometheus.CounterValue, float64(s.WaitCount))
	metrics <- prometheus.MustNewConstMetric(poolWaitTime, prometheus.CounterValue, s.WaitDuration.Seconds())
}
