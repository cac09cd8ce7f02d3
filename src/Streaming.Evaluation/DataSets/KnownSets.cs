namespace Streaming.Evaluation.DataSets;

/// <summary>A file of a known set.</summary>
/// <param name="Name">Its name without ".gz".</param>
/// <param name="Sha256">SHA-256 in lower-case hex of the content as it is after gunzip (of a tar: of its members one after the other, in name order).</param>
/// <param name="Note">What it is, where the name does not say; else empty.</param>
/// <param name="Url">Where this file is to be had, when not with the rest of the set; else empty.</param>
public sealed record KnownFile(string Name, string Sha256, string Note = "", string Url = "");

/// <summary>A public data set that the project reads but does not carry: its terms do not allow that, or do not say so.</summary>
/// <param name="Name">Short name, which stands for its place under a data root.</param>
/// <param name="Title">What it is.</param>
/// <param name="Url">Where it is to be had.</param>
/// <param name="Terms">Licence, in a sentence.</param>
/// <param name="Places">Where it may lie under a data root; the first that is there counts.</param>
/// <param name="Files">Files whose content is known; empty where no hash is.</param>
public sealed record KnownSet(string Name, string Title, string Url, string Terms, IReadOnlyList<string> Places, IReadOnlyList<KnownFile> Files);

/// <summary>The public data sets by their short names.</summary>
public static class KnownSets
{
    private const string MovieLensTerms = "Research use with acknowledgement; no redistribution and no commercial use without permission (GroupLens).";
    private const string Bert4RecFolder =
        "https://github.com/TianyuanYang/KAN4Rec/raw/5ec42a3fd119/Data/preprocessed/ml-1m_min_rating0-min_uc5-min_sc0-splitleave_one_out/";

    public static IReadOnlyList<KnownSet> All { get; } =
    [
        new("ml-100k", "MovieLens 100K: 100,000 ratings with times", "https://files.grouplens.org/datasets/movielens/ml-100k.zip", MovieLensTerms,
            ["ml-100k", "movielens/ml-100k"],
            [
                new("u.data", "06416e597f82b7342361e41163890c81036900f418ad91315590814211dca490"),
                new("u.item", "553841ebc7de3a0fd0d6b62a204ea30c1e651aacfb2814c7a6584ac52f2c5701"),
                new("u.user", "f120e114da2e8cf314fd28f99417c94ae9ddf1cb6db8ce0e4b5995d40e90e62c"),
                new("u.genre", "9757e0d3e6b298159a80dd48eaf938114690e911e39af97a76949ef1663610bb"),
                new("u.occupation", "cd5fbec9afe345d993a62fc7817df1a4a9079c4feb267b3118763b8fd942137d"),
                new("u.info", "5b0a40b2e47a729ee6203063f6dcf8790c2e63f5a18663e6ee318a72c5f3c27b"),
            ]),
        new("ml-1m", "MovieLens 1M: 1,000,209 ratings", "https://files.grouplens.org/datasets/movielens/ml-1m.zip", MovieLensTerms,
            ["ml-1m", "movielens/ml-1m"],
            [
                new("users.dat", "1dc3a95300cb19f7c10e027daf29b8cdf1d908dab65b5edfb45950aa389a10a3"),
                new("movies.dat", "0140fc2356357c1a851d0f52e893a1e4d3696df632c4141cea8d5bc3d621f0b9"),
                new("ncf_ml-1m.test.rating", "231ae11eb060b643a8c58c063cd17ffc743b54f569afb073d1abb6cf126b88b5", "the NCF split", "https://github.com/hexiangnan/neural_collaborative_filtering/raw/4aab159e81c4/Data/ml-1m.test.rating"),
                new("ncf_ml-1m.test.negative", "127853228a76b7d21c0481e8ef8d00dd009cd5c88670dbdd9e9debfdb9f93de4", "99 negatives a user of the NCF split",
                    "https://github.com/hexiangnan/neural_collaborative_filtering/raw/4aab159e81c4/Data/ml-1m.test.negative"),
                new("bert4rec_dataset.pkl", "2412d4ad0437890de583529bf516f88bf0322cb1c8b28846963f43ee097c2077", "sequences in time order, of a BERT4Rec re-run",
                    Bert4RecFolder + "dataset.pkl"),
                new("bert4rec_random-sample_size100-seed98765.pkl", "91491e1e9a1409fc92854ddb51e3424237e4a55ca731da6a586f897848d79c83",
                    "100 uniform negatives a user, of a BERT4Rec re-run",
                    Bert4RecFolder + "random-sample_size100-seed98765.pkl"),
                new("ratings_pairs.parquet", "b354c7081dd0a6ca6b2711d6ae48d057ade864332ae90e28856372997d88994f", "user and movie of every rating",
                    "https://github.com/bigdataguide/AuraSparkTraining/raw/03ebfaf1fdd7/data/ml-1m/ratings.parquet"),
            ]),
        new("ranklens", "RankLens: 9,800 rankings of 24 films, with clicks", "https://github.com/metarank/ranklens",
            "Data CC-BY-SA 4.0, code Apache-2.0.", ["ranklens/events.jsonl.gz", "ranklens/events.jsonl"],
            [new("events.jsonl", "270f09b6e56f28cf52d6de831f4753e24e72f145e2eb46221b31eea56934947a", "in metarank's event format",
                "https://github.com/metarank/metarank/tree/master/src/test/resources/ranklens/events")]),
        new("open-bandit", "Open Bandit Dataset, small version: two logging policies, campaigns men and women", "https://github.com/st-tech/zr-obp/tree/master/obd",
            "The repository is Apache-2.0; its README asks to cite arXiv:2008.07146.", ["open-bandit"],
            [
                new("men.csv", "ede6d08c6877f99cd3770f7d09e26c738e6aa6de4445ccccfb1356ba5d06b1eb", "policy random"),
                new("women.csv", "e65f3bd3beb17664fa69cc129bf7bf852a775f8ffa630506e505fc905315bb34", "policy random"),
                new("men.csv", "db6d1f7ed2d591ba521533e45286d4c1fba7fe57a8ad2e80342210335f43c527", "policy bts"),
                new("women.csv", "e5d1b49a39b608585a2f3014a3f54970430cd37a495c1b73fceb85cdf428a5b8", "policy bts"),
                new("men.item_context.csv", "6d855c2b7e917d0448d71bbe62c023147495882c0fdc8c41e86fef86abf9fe09", "policy random"),
                new("women.item_context.csv", "b1ca4905f97703d196004f2ad4552c1e90c2afad8b50688d333b0d2dc0b33147", "policy random"),
                new("men.item_context.csv", "3b411ed6b0471316321a6b93f4f756bb25888eac6218cd71d0b603d41d85732d", "policy bts"),
                new("women.item_context.csv", "a56295bad066a558eb783055afd9279f5f4e209a4776eafc22151c53f0ac89d4", "policy bts"),
            ]),
        new("globo", "Globo.com news clicks: 2,988,181 in 385 hourly files", "https://www.kaggle.com/datasets/gspmoreira/news-portal-user-interactions-by-globocom",
            "Shared by Globo.com for research; do not publish.", ["globo/clicks.tar.zst", "globo/clicks.tar.gz", "globo/clicks.tar", "globo/clicks", "globo"],
            [new("clicks.tar", "fcbc6fd28d76680818049afa7256e39ff1d86677b5efc827397b0b2b3be816d1", "clicks_hour_000.csv to clicks_hour_384.csv",
                "https://github.com/artdeoich/content-recommendation/tree/ba495cd7d99b/clicks")]),
        new("taobao-behavior", "Taobao UserBehavior: views, favourites, carts, purchases", "https://tianchi.aliyun.com/dataset/649",
            "Tianchi data set 649: research only, after registration; do not publish.", ["taobao-behavior/UserBehavior.csv.gz", "taobao-behavior/UserBehavior.csv"],
            [new("UserBehavior.csv", "9cbce278d485d50954029082dd1b22f0dc78dc38776f58d953f0cbe18d6608b4", "the first 84,476 rows; the whole file has another hash",
                "https://github.com/Haohanblue/mydeep/raw/ef812addc2c1/mydeep/UserBehavior.csv")]),
        new("taobao-ads", "Taobao display advertising", "https://tianchi.aliyun.com/dataset/56", "Tianchi data set 56: research only, after registration; do not publish.",
            ["ctr/taobao_data_sample_1w.csv.gz", "ctr/taobao_data_sample_1w.csv"],
            [new("taobao_data_sample_1w.csv", "39f56fec0c47baceea81423ebdc19403580ea25d727e96472f94eac808a74d48", "a joined sample of 9,999 rows",
                "https://github.com/jason-wang1/DeepRec/raw/b7e0c87dc90c/data/taobao_data_sample_1w.csv")]),
        new("criteo", "Criteo display advertising (Kaggle 2014)", "https://www.kaggle.com/c/criteo-display-ad-challenge", "The competition's terms: research only; do not publish.",
            ["ctr/criteo_first10000.train.tsv.gz", "ctr/criteo_first10000.train.tsv"],
            [new("criteo_first10000.train.tsv", "f665bb8823fd742ea1b8602d70918f235ccc08eba3224f1621c11022721c21a3", "the first 10,000 rows; the whole file has another hash",
                "https://github.com/Lapis-Hong/Wide-ResDNN/raw/4133ba4f1780/data/sample.train")]),
        new("avazu", "Avazu mobile advertising (Kaggle 2014)", "https://www.kaggle.com/c/avazu-ctr-prediction", "The competition's terms: research only; do not publish.",
            ["ctr/avazu-ctr-prediction_train_1w.csv.gz", "ctr/avazu-ctr-prediction_train_1w.csv"],
            [new("avazu-ctr-prediction_train_1w.csv", "b011f531ab001af10ea0770be283777810b3cd3d84d0e240e78472045d580c2c", "the first 9,999 rows; the whole file has another hash",
                "https://github.com/jason-wang1/DeepRec/raw/b7e0c87dc90c/data/avazu-ctr-prediction_train_1w.csv")]),
    ];

    public static KnownSet? Find(string name) => All.FirstOrDefault(s => s.Name.Equals(name, StringComparison.OrdinalIgnoreCase));
}
