# From a slide scan to its cores as pyramids.


rule detect_cores:
    # Where the cores lie, and which core of the TMA map each is.
    input:
        unpack(stated),
        slide=slide_files,
        tma_map=lambda wildcards: given(map_path(wildcards)),
    output:
        cores=f"{RESULTS}/slides/{{slide}}/cores.parquet",
        csv=f"{RESULTS}/slides/{{slide}}/cores.csv",
        geojson=f"{RESULTS}/slides/{{slide}}/cores.geojson",
        page=f"{RESULTS}/slides/{{slide}}/cores.html",
        overview=report(
            f"{RESULTS}/slides/{{slide}}/overview.png",
            caption="../report/overview.rst",
            category="Slides",
            labels={"slide": "{slide}", "picture": "cores found"},
        ),
    log:
        f"{LOGS}/detect_cores/{{slide}}.log",
    benchmark:
        f"{BENCHMARKS}/detect_cores/{{slide}}.tsv"
    group:
        "slide"
    conda:
        CPU_ENV
    resources:
        **needs(2000, 20, work=gigabytes("slide"), each=need.DETECTED_GB),
    params:
        slide=slide_path,
        options=lambda wildcards: {
            "mpp": SLIDE_ROWS[wildcards.slide].mpp,
            "orientation": SLIDE_ROWS[wildcards.slide].orientation,
            **CONFIG.dearray.model_dump(),
        },
        # Rows, not the file: a correction of one slide concerns that slide alone.
        corrections=lambda wildcards: corrections().get(wildcards.slide, []),
        sizes=lambda wildcards: sizes(slide_files(wildcards)),
        tables=lambda wildcards: content(
            map_path(wildcards), *stated_paths(wildcards).values()
        ),
        key=PSEUDONYM_KEY,
        key_digest=lambda wildcards: content(PSEUDONYM_KEY),
        code=fingerprint("dearray.slide"),
        template=file_fingerprint("dearray/templates/slide.html.j2"),
    message:
        "Finding the cores of slide {wildcards.slide}"
    script:
        "../scripts/detect_cores.py"


rule crop_cores:
    # One rule owns the store. Its content is told by the manifest, since Snakemake doesn't look
    # into folders.
    input:
        slide=slide_files,
        cores=rules.detect_cores.output.cores,
    output:
        store=directory(f"{RESULTS}/cores/{{slide}}.zarr"),
        manifest=f"{RESULTS}/cores/{{slide}}.manifest.json",
        # Of detect_cores, with what could not be read.
        cores=f"{RESULTS}/cores/{{slide}}.parquet",
    log:
        f"{LOGS}/crop_cores/{{slide}}.log",
    benchmark:
        f"{BENCHMARKS}/crop_cores/{{slide}}.tsv"
    group:
        "slide"
    conda:
        CPU_ENV
    threads: share_of_cores(4)
    resources:
        **needs(
            1000 + 1500 * share_of_cores(4),
            30,
            work=gigabytes("slide"),
            each=need.CROPPED_GB,
        ),
    params:
        slide=slide_path,
        mpp=lambda wildcards: SLIDE_ROWS[wildcards.slide].mpp,
        sizes=lambda wildcards: sizes(slide_files(wildcards)),
        crop=CONFIG.crop.model_dump(),
        code=fingerprint("cores", "slides.opening"),
    message:
        "Cropping the cores of slide {wildcards.slide}"
    script:
        "../scripts/crop_cores.py"


rule repair:
    # Not part of `all`, and without output: it looks at every store each time it is asked for.
    input:
        stores=of_slides(rules.crop_cores.output.store),
        manifests=of_slides(rules.crop_cores.output.manifest),
        # To be fetched.
        slides=(
            [
                given(join_path(CONFIG.data_dir, row.path))
                for row in SLIDE_ROWS.values()
            ]
            if IN_STORAGE
            else []
        ),
    log:
        f"{LOGS}/repair.log",
    benchmark:
        f"{BENCHMARKS}/repair.tsv"
    conda:
        CPU_ENV
    threads: all_cores(4)
    resources:
        **needs(2000, 120),
    params:
        slides=SLIDES,
        paths=[join_path(CONFIG.data_dir, row.path) for row in SLIDE_ROWS.values()],
        codec=CONFIG.crop.codec,
    message:
        "Checking the core stores"
    script:
        "../scripts/repair.py"
