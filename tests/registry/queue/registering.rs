//! Invalid sets of kinds or workers are refused at the start.

use super::*;

type Kinds = Registry<Arc<World>>;

/// A kind that differs from the others in one thing.
macro_rules! kind {
    ($name:ident, $kind:literal, $policy:expr) => {
        #[derive(Serialize, Deserialize)]
        struct $name;

        impl Job for $name {
            const KIND: &'static str = $kind;
            const POLICY: Policy = $policy;
        }

        impl Member<Arc<World>, Together> for $name {
            fn into_member(self) -> String {
                String::new()
            }
        }

        impl Perform<Arc<World>> for $name {
            fn perform(self, _: &Arc<World>, _: &mut Run<'_>) -> Result<Outcome, JobError> {
                Ok(Outcome::default())
            }
        }
    };
}

kind!(Urgent, "urgent", Policy { priority: 9, ..POLICY });
kind!(Ordered, "ordered", Policy { order: Order::ByKey, ..POLICY });
kind!(Hopeless, "hopeless", Policy { max_attempts: 0, ..POLICY });
kind!(Timeless, "timeless", Policy { time_limit: Duration::ZERO, ..POLICY });

struct Nobody;

impl Batch<Arc<World>> for Nobody {
    type Member = String;
    const SIZE: usize = 0;

    fn perform(_: &Arc<World>, _: Vec<String>, _: &mut Run<'_>) -> Result<Vec<Result<Outcome, JobError>>, JobError> {
        Ok(Vec::new())
    }
}

impl Member<Arc<World>, Nobody> for One {
    fn into_member(self) -> String {
        self.0
    }
}

#[test]
fn a_wrong_registry_is_refused_with_what_to_change() {
    let twice = Kinds::default().job::<Act>().unwrap().job::<Act>().err().unwrap();
    assert_eq!(twice, RegistryError::KindTwice("act"));
    assert_eq!(twice.to_string(), "the job kind \"act\" is registered twice: give one of the two another KIND");
    let twice = Kinds::default().batch::<Together>(|kinds| kinds.member::<One>().member::<One>()).err().unwrap();
    assert_eq!(twice, RegistryError::KindTwice("one"));
    let empty = Kinds::default().batch::<Together>(|kinds| kinds).err().unwrap();
    assert_eq!(empty, RegistryError::EmptyBatch);
    let differs = Kinds::default().batch::<Together>(|kinds| kinds.member::<One>().member::<Urgent>()).err().unwrap();
    assert_eq!(differs, RegistryError::PolicyDiffers { kind: "urgent" });
    let ordered = Kinds::default().batch::<Together>(|kinds| kinds.member::<Ordered>()).err().unwrap();
    assert!(ordered.to_string().ends_with("give it Order::Any, or register it on its own"), "{ordered}");
    let none = Kinds::default().batch::<Nobody>(|kinds| kinds.member::<One>()).err().unwrap();
    assert!(none.to_string().ends_with("give it a SIZE of at least 1"), "{none}");
    for never in [Kinds::default().job::<Hopeless>().err().unwrap(), Kinds::default().job::<Timeless>().err().unwrap()]
    {
        assert!(never.to_string().contains("max_attempts of at least 1 and a time_limit above zero"), "{never}");
    }
    let unknown = Kinds::default().job::<Act>().unwrap().workers("tset", workers(2)).err().unwrap();
    assert_eq!(unknown.to_string(), "the queue \"tset\" has workers but no kinds: use one of the queues test");
}

#[test]
fn more_workers_than_there_are_connections_are_refused_at_the_start() {
    struct Few(String);
    impl ConnectionSource for Few {
        fn connect(&self) -> Result<Box<dyn Lend>, Box<dyn Error + Send + Sync>> {
            Source(self.0.clone()).connect()
        }

        fn capacity(&self) -> Option<usize> {
            Some(5)
        }
    }
    let queue = Queue::new();
    let start = |count| {
        let (world, source) = (Arc::clone(&queue.world), Few(queue.database.url()));
        Runner::new(registry(workers(count)), world, source, "w", Wakeups::default(), Completions::default()).start()
    };
    start(3).unwrap().stop();
    assert_eq!(
        start(4).err().unwrap().to_string(),
        "the queue needs 6 connections, one for each of 4 workers and two for the watch and the sweep, and only 5 are \
         allowed: allow more connections or register fewer workers"
    );
}

#[test]
fn a_job_without_the_key_that_its_kind_needs_is_refused() {
    let mut queue = Queue::new();
    let job = InOrder { key: String::new(), name: "x".to_owned() };
    let refused = Enqueue::new(&job).insert(&mut queue.connection).unwrap_err();
    assert!(matches!(refused, EnqueueError::NoKey { kind: "in_order" }));
    assert!(refused.to_string().ends_with("implement Job::key"), "{refused}");
    assert_eq!(queue.pending(), 0);
}
