# The named peer of `bench index`: hnswlib (Malkov's own) on the same vectors and queries, one thread, same M, efConstruction and ef.
# Arguments: vectors file, queries file, dim, M, efConstruction, ef, k. Prints one JSON line.
import json, sys, time
try:
    import hnswlib, numpy
except ImportError as e:
    print(json.dumps({"absent": str(e)}))
    sys.exit(0)
vectors, queries, dim, m, ef_construction, ef, k = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:8])
x = numpy.fromfile(vectors, dtype=numpy.float32).reshape(-1, dim)
q = numpy.fromfile(queries, dtype=numpy.float32).reshape(-1, dim)
index = hnswlib.Index(space="ip", dim=dim)
index.init_index(max_elements=len(x), ef_construction=ef_construction, M=m, random_seed=1)
index.set_num_threads(1)
start = time.perf_counter()
index.add_items(x)
build = time.perf_counter() - start
index.set_ef(ef)
index.knn_query(q[: max(1, len(q) // 5)], k=k)
best = float("inf")
for _ in range(3):
    start = time.perf_counter()
    labels, _ = index.knn_query(q, k=k)
    best = min(best, time.perf_counter() - start)
truth = numpy.argsort(-(q @ x.T), axis=1)[:, :k] if len(x) * len(q) <= 50_000_000 else None
if truth is None:
    parts = []
    for row in q:
        scores = x @ row
        top = numpy.argpartition(-scores, k)[:k]
        parts.append(top)
    truth = parts
recall = sum(len(set(map(int, a)) & set(map(int, b))) for a, b in zip(labels, truth)) / (k * len(q))
print(json.dumps({"build_per_s": len(x) / build, "query_us": best / len(q) * 1e6, "recall_at_k": recall, "version": getattr(hnswlib, "__version__", "unknown")}))
