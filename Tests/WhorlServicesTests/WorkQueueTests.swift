import Testing
import WhorlServices

@Suite struct WorkQueueTests {
    @Test("Work comes out in order, also after the queue is finished; then the queue ends")
    func order() async {
        let queue = WorkQueue<Int>()
        for number in 1...3 { queue.add(number) }
        queue.finish()
        queue.add(4)
        var seen: [Int] = []
        while let number = await queue.next() { seen.append(number) }
        #expect(seen == [1, 2, 3])
        #expect(await queue.next() == nil)
    }

    @Test("A cancelled task still gets all work")
    func cancelled() async {
        let queue = WorkQueue<Int>()
        let task = Task {
            var seen: [Int] = []
            while let number = await queue.next() { seen.append(number) }
            return seen
        }
        task.cancel()
        for number in 1...100 { queue.add(number) }
        queue.finish()
        #expect(await task.value == Array(1...100))
    }
}
