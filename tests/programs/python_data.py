"""Packages that read data for a model: h5py, pyarrow, lmdb, tokenizers, onnxruntime, pillow."""

from worlds import venv

PROGRAMS = [
    venv("h5py", """
        import h5py, numpy
        for options in ({}, {"locking": False}, {"driver": "stdio"}, {"driver": "core", "backing_store": False}, {"rdcc_nbytes": 0, "libver": "latest"}):
            with h5py.File(f"{D}/data/arrays.h5", "r", **options) as file:
                print(options, sorted(file), file["plain"].shape, repr(float(file["plain"][17:40, 3].sum())), int(file["chunked"][33:99, 61:300].sum()))
                print(file["deep/er/names"][7], file["deep/er"].attrs["unit"], file["chunked"].chunks, file["plain"].id.get_offset() > 0)
        with open(f"{D}/data/arrays.h5", "rb") as raw, h5py.File(raw, "r") as file:
            print(int(file["chunked"][:].sum()))
        for name in ("none.h5", "table.csv"):
            try:
                h5py.File(f"{D}/data/{name}", "r")
            except OSError as error:
                print(type(error).__name__, error.errno)
        print(h5py.is_hdf5(f"{D}/data/arrays.h5"), h5py.is_hdf5(f"{D}/data/table.csv"))
    """),
    venv("pyarrow-parquet", """
        import pyarrow.parquet as parquet, pyarrow.compute as compute
        for options in ({}, {"memory_map": True}, {"pre_buffer": False, "use_threads": False}, {"buffer_size": 4096}):
            table = parquet.read_table(f"{D}/data/table.parquet", **options)
            print(options, table.num_rows, repr(compute.sum(table["value"]).as_py()), table["word"][12345])
        file = parquet.ParquetFile(f"{D}/data/table.parquet", memory_map=True)
        print(file.num_row_groups, file.read_row_group(3, columns=["id"])["id"][5], file.metadata.num_rows, file.schema_arrow.names)
        print(sum(batch.num_rows for batch in file.iter_batches(1111)), parquet.read_metadata(f"{D}/data/table.parquet").num_columns)
        print(parquet.read_table(f"{D}/data/table.parquet", filters=[("id", "<", 3)]).to_pydict()["word"])
    """),
    venv("pyarrow-files", """
        import pyarrow, pyarrow.compute as compute, pyarrow.csv, pyarrow.dataset, pyarrow.feather, pyarrow.fs, pyarrow.ipc, pyarrow.json
        with pyarrow.memory_map(f"{D}/data/table.arrow") as source:
            table = pyarrow.ipc.open_file(source).read_all()
            print(table.num_rows, repr(compute.sum(table["value"]).as_py()), source.size())
        print(pyarrow.feather.read_table(f"{D}/data/table.arrow", memory_map=False).num_rows, pyarrow.csv.read_csv(f"{D}/data/table.csv").num_rows)
        with pyarrow.OSFile(f"{D}/sizes/9MiB") as file:
            file.seek(4194300)
            print(file.read(12).hex(), file.read_at(5, 9437180).hex(), file.tell(), file.size())
        dataset = pyarrow.dataset.dataset(f"{D}/data/dataset", partitioning=["word"])
        print(len(dataset.files), dataset.count_rows(), dataset.to_table(filter=compute.field("word") == "word-5")["id"].to_pylist()[:3])
        local = pyarrow.fs.LocalFileSystem()
        print(sorted((i.base_name, i.size, i.type.name) for i in local.get_file_info(pyarrow.fs.FileSelector(f"{D}/nested", recursive=True))))
        print(local.get_file_info(f"{D}/none").type.name, local.open_input_stream(f"{D}/text/crlf.txt").read(), local.open_input_file(f"{D}/sizes/4MiB+1").size())
        for call in (lambda: pyarrow.OSFile(f"{D}/none"), lambda: pyarrow.memory_map(f"{D}/none"), lambda: pyarrow.memory_map(f"{D}/text")):
            try:
                call()
            except OSError as error:
                print(type(error).__name__, error.errno)
    """),
    venv("lmdb", """
        import lmdb
        with lmdb.open(f"{D}/data/store.lmdb", readonly=True, lock=False) as store, store.begin(buffers=True) as transaction:
            print(store.stat()["entries"], bytes(transaction.get(b"key-01234")), transaction.get(b"none"))
            print(sum(len(value) for _, value in transaction.cursor()), store.info()["map_size"])
        with lmdb.open(f"{D}/data/store.lmdb/data.mdb", readonly=True, lock=False, subdir=False, readahead=False) as store, store.begin() as transaction:
            print([key for key, _ in transaction.cursor().iternext_dup()], store.max_key_size())
        try:
            lmdb.open(f"{D}/data/none.lmdb", readonly=True, lock=False)
        except lmdb.Error as error:
            print(type(error).__name__)
    """),
    venv("tokenizers", """
        import tokenizers
        tokenizer = tokenizers.Tokenizer.from_file(f"{D}/data/tokenizer.json")
        with open(f"{D}/text/alpha.txt") as file:
            lines = file.read().splitlines()
        print(tokenizer.get_vocab_size(), tokenizer.encode(lines[0]).tokens, sum(len(e.ids) for e in tokenizer.encode_batch(lines)))
        again = tokenizers.Tokenizer(tokenizers.models.BPE(unk_token="?"))
        again.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
        again.train([f"{D}/text/alpha.txt", f"{D}/text/beta.txt"], tokenizers.trainers.BpeTrainer(vocab_size=250, special_tokens=["?"], show_progress=False))
        print(again.get_vocab_size(), again.encode("warm path block").tokens)
        try:
            tokenizers.Tokenizer.from_file(f"{D}/data/none.json")
        except Exception as error:
            print(error)
    """, env={"TOKENIZERS_PARALLELISM": "true"}),
    venv("onnxruntime", """
        import numpy, onnxruntime
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(f"{D}/data/model.onnx", options, providers=["CPUExecutionProvider"])
        shapes = [[n if isinstance(n, int) else 1 for n in i.shape] for i in session.get_inputs()]
        feed = {i.name: (numpy.arange(numpy.prod(shape)) % 256).reshape(shape).astype("int32") for i, shape in zip(session.get_inputs(), shapes)}
        result = session.run(None, feed)[0]
        print(result.shape, int(result.argmax()), [i.name for i in session.get_inputs()])
        with open(f"{D}/data/model.onnx", "rb") as file:
            same = onnxruntime.InferenceSession(file.read(), options, providers=["CPUExecutionProvider"]).run(None, feed)[0]
        print(bool((same == result).all()))
        try:
            onnxruntime.InferenceSession(f"{D}/data/none.onnx", options, providers=["CPUExecutionProvider"])
        except Exception as error:
            print(type(error).__name__)
    """),
    venv("magika", """
        import magika
        from pathlib import Path
        judge = magika.Magika()
        print([(path.name, judge.identify_path(path).output.label) for path in sorted(Path(D, "media").iterdir())])
        print([r.output.label for r in judge.identify_paths([Path(D, name) for name in ("code/hello.c", "data/document.json", "archives/bundle.zip", "text/alpha.txt", "empty", "text")])])
    """),
    venv("pillow", """
        import hashlib
        from PIL import Image, ImageFilter
        for name in sorted(os.listdir(f"{D}/media")):
            if name.startswith("picture"):
                with Image.open(f"{D}/media/{name}") as picture:
                    print(name, picture.format, picture.size, hashlib.sha256(picture.convert("RGB").filter(ImageFilter.BLUR).tobytes()).hexdigest()[:16])
        with Image.open(f"{D}/media/pages.tif") as pages:
            for number in (2, 0, 1):
                pages.seek(number)
                print(pages.n_frames, hashlib.sha256(pages.tobytes()).hexdigest()[:16])
        with open(f"{D}/media/picture.jpg", "rb") as file:
            picture = Image.open(file)
            picture.draft("L", (80, 50))
            print(picture.size, picture.load() is not None, file.closed)
        Image.open(f"{D}/media/picture.png").resize((30, 20)).save(f"{T}/small.png")
        print(Image.open(f"{T}/small.png").size)
    """),
    venv("boto-s3transfer-upload", """
        from s3transfer.utils import OSUtils
        system = OSUtils()
        with system.open_file_chunk_reader(f"{D}/sizes/9MiB", 4194300, 100, []) as part:
            print(len(part.read()), part.tell(), system.get_file_size(f"{D}/sizes/9MiB"), system.is_special_file(f"{D}/empty"))
    """),
    venv("numpy-memmap-threads", """
        import concurrent.futures, numpy
        view = numpy.memmap(f"{D}/data/array.raw", dtype="<f4", mode="r", shape=(700, 1000))
        array = numpy.lib.format.open_memmap(f"{D}/data/array.npy", mode="r")
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            print([repr(float(x)) for x in pool.map(lambda n: view[n * 7::93].sum(dtype="f8"), range(40))])
            print(all(pool.map(lambda n: numpy.load(f"{D}/data/array.npy", mmap_mode="r")[n].tolist() == array[n].tolist(), range(40))))
        del view, array
        print(numpy.load(f"{D}/data/arrays.npz", mmap_mode="r")["first"].shape)
        for call in (lambda: numpy.load(f"{D}/none.npy"), lambda: numpy.memmap(f"{D}/empty", mode="r"), lambda: numpy.memmap(f"{D}/one-byte", dtype="f8", mode="r", shape=(4,))):
            try:
                call()
            except Exception as error:
                print(type(error).__name__)
    """),
]
